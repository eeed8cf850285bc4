"""`benchmarks/run client`: how long `import modelwright` takes beside `import httpx`, and what a prediction costs, client and
service together, in each format in which rows of one kind can be sent. `modelwright/rows.py` sends the cheapest.

Processor time counts, as other programs disturb the clock. The formats alternate, one request each.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import numpy as np
import polars as pl
import psutil
import torch

from benchmarks.serving.models import spec
from modelwright import Client
from modelwright.rows import ARROW, CSV, JSON, NPY, PARQUET, exchange_of
from tests.harness.server import Server

RUNS = int(os.environ.get("RUNS", "20"))  # of each import
ROUNDS = int(os.environ.get("ROUNDS", "30"))  # of each prediction
SIZES = (1, 100, 10_000)
NAMES = [f"x{i}" for i in range(8)]
MUST_HOLD = 1.3
IMPORT = "import time; began = time.process_time(); import {}; print(time.process_time() - began)"

Send = Callable[[Any], tuple[bytes, str]]  # a body and its media type
Read = Callable[[bytes], Any]


def imports() -> list[str]:
    """A table of the processor time of both imports, each in an interpreter of its own, alternating."""
    seconds: dict[str, list[float]] = {"httpx": [], "modelwright": []}
    for _ in range(RUNS):
        for name, found in seconds.items():
            done = subprocess.run([sys.executable, "-c", IMPORT.format(name)], check=True, capture_output=True)  # noqa: S603
            found.append(float(done.stdout))
    base = median(seconds["httpx"])
    rows = ["| `import` | median, ms | × httpx | must hold |", "|---|---|---|---|"]
    for name, found in seconds.items():
        wanted = f"≤ {MUST_HOLD}" if name == "modelwright" else ""
        rows.append(f"| {name} | {median(found) * 1000:.0f} | {median(found) / base:.2f} | {wanted} |")
    return rows


def in_json(rows: Any) -> tuple[bytes, str]:
    """Rows as lists."""
    return json.dumps({"instances": rows}).encode(), JSON


def in_columns(columns: Any) -> tuple[bytes, str]:
    """Columns by name."""
    return json.dumps({"inputs": columns}).encode(), JSON


def of_file(write: Callable[[io.BytesIO], Any], media_type: str) -> tuple[bytes, str]:
    """What a library writes."""
    file = io.BytesIO()
    write(file)
    return file.getvalue(), media_type


def from_json(body: bytes) -> Any:
    """The predictions of a response in JSON."""
    return json.loads(body)["predictions"]


def from_npy(body: bytes) -> Any:
    """The array of a response in NPY."""
    return np.load(io.BytesIO(body))


def kinds(rows: np.ndarray) -> dict[str, tuple[Any, dict[str, tuple[Send, str, Read]]]]:
    """For each kind of data the same rows, and the ways to send them: the body, the format of the response, and what reads it."""
    found: dict[str, tuple[Any, dict[str, tuple[Send, str, Read]]]] = {
        "lists": (
            rows.tolist(),
            {
                "JSON": (in_json, JSON, from_json),
                "NPY": (
                    lambda data: of_file(lambda file: np.save(file, np.array(data)), NPY),
                    NPY,
                    lambda body: from_npy(body).tolist(),
                ),
            },
        ),
        "numpy": (
            rows,
            {
                "JSON": (lambda data: in_json(data.tolist()), JSON, lambda body: np.array(from_json(body))),
                "NPY": (lambda data: of_file(lambda file: np.save(file, data), NPY), NPY, from_npy),
            },
        ),
        "torch": (
            torch.from_numpy(rows),
            {
                "JSON": (lambda data: in_json(data.tolist()), JSON, lambda body: torch.tensor(from_json(body))),
                "NPY": (
                    lambda data: of_file(lambda file: np.save(file, data.numpy()), NPY),
                    NPY,
                    lambda body: torch.from_numpy(from_npy(body)),
                ),
            },
        ),
        "polars": (
            pl.DataFrame(rows, NAMES),
            {
                "JSON": (
                    lambda data: in_columns(data.to_dict(as_series=False)),
                    JSON,
                    lambda body: pl.DataFrame({"y": from_json(body)}),
                ),
                "CSV": (lambda data: of_file(data.write_csv, CSV), CSV, lambda body: pl.read_csv(io.BytesIO(body))),
                "Arrow": (
                    lambda data: of_file(data.write_ipc_stream, ARROW),
                    ARROW,
                    lambda body: pl.read_ipc_stream(io.BytesIO(body)),
                ),
                "Parquet": (
                    lambda data: of_file(data.write_parquet, PARQUET),
                    PARQUET,
                    lambda body: pl.read_parquet(io.BytesIO(body)),
                ),
            },
        ),
    }
    try:
        pandas: Any = import_module("pandas")
        ipc: Any = import_module("pyarrow.ipc")
    except ImportError:
        return found
    found["pandas"] = (
        pandas.DataFrame(rows, columns=NAMES),
        {
            "JSON": (
                lambda data: in_columns(data.to_dict("list")),
                JSON,
                lambda body: pandas.DataFrame({"y": from_json(body)}),
            ),
            "CSV": (
                lambda data: (data.to_csv(index=False).encode(), CSV),
                CSV,
                lambda body: pandas.read_csv(io.BytesIO(body)),
            ),
            "Arrow": (
                lambda data: (exchange_of(data).content, ARROW),
                ARROW,
                lambda body: ipc.open_stream(body).read_pandas(),
            ),
            "Parquet": (
                lambda data: (data.to_parquet(index=False), PARQUET),
                PARQUET,
                lambda body: pandas.read_parquet(io.BytesIO(body)),
            ),
        },
    )
    return found


def predictions(server: Server) -> list[str]:
    """A table of the processor time of one prediction."""
    service = psutil.Process(server.process.pid)
    rows = ["| kind | format | " + " | ".join(f"{size:,} rows, ms" for size in SIZES) + " | chosen |"]
    rows.append("|---|---|" + "---|" * len(SIZES) + "---|")
    names = {JSON: "JSON", NPY: "NPY", ARROW: "Arrow", CSV: "CSV", PARQUET: "Parquet"}
    figures: dict[tuple[str, str], list[float]] = {}
    for size in SIZES:
        for kind, (data, ways) in kinds(np.random.default_rng(0).standard_normal((size, 8)).round(6)).items():
            spent: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(ROUNDS):
                for way, (send, accept, read) in ways.items():
                    spent[way].append(cost(server.http, service, data, send, accept, read))
            for way, seconds in spent.items():
                figures.setdefault((kind, way), []).append(median(seconds) * 1000)
    for (kind, way), found in figures.items():
        data = kinds(np.zeros((1, 8)))[kind][0]
        mark = "yes" if names[exchange_of(data).media_type] == way else ""
        rows.append(f"| {kind} | {way} | " + " | ".join(f"{each:.2f}" for each in found) + f" | {mark} |")
    return rows


def cost(http: httpx.Client, service: psutil.Process, data: Any, send: Send, accept: str, read: Read) -> float:
    """Processor seconds of both sides for one prediction. The service's are counted in hundredths of a second, so it is asked
    several times."""
    times = 10
    began, before = time.process_time(), sum(service.cpu_times()[:2])
    for _ in range(times):
        body, media_type = send(data)
        headers = {"Content-Type": media_type, "Accept": accept}
        response = http.post("/v1/models/plain/predictions", content=body, headers=headers)
        response.raise_for_status()
        read(response.content)
    return (time.process_time() - began + sum(service.cpu_times()[:2]) - before) / times


def main() -> None:
    """Prints both tables as Markdown."""
    lines = [
        *imports(),
        "",
        "Processor time of one prediction of rows with 8 numbers, client and service together:",
        "",
    ]
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "home") as server:
        with Client(server.url, transport=httpx.HTTPTransport()) as client:
            client.train(spec("plain", [64, 64], 0)).wait()
        lines += predictions(server)
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
