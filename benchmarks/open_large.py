"""`benchmarks/run open_large`: the cost of opening a large model. The list of parameters, and rows, of versions with 1 GB over
HTTP; and loading a model of 400 MB whose digest this process has checked before, beside `torch.load` of the same tensors."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import orjson
import psutil
import torch

from benchmarks.in_process import resolved_with_table
from model_store import Store, Version
from model_store.known_digests import SETTLED_SECONDS
from service.serving.forward import forward
from service.serving.warm_models import Warm
from service.use_cases.attempt_store import STATE_DICT, TENSORS
from service.use_cases.open_model import open_model
from service.workflow.inspection import summarize
from service.workflow.model import empty_model
from service.workflow.resolve import Resolved
from service.workflow.save_and_load import load_tensors
from service.workflow.tensor_file import write

RUNS = int(os.environ.get("RUNS", "5"))
LARGE = 16_384  # units of two layers: 1.07 GB
MEDIUM = 10_000  # 400 MB
MIB = 2**20
RECORDS = [{"x": number, "y": 2.5 * number} for number in range(20)]


def resolved(name: str, width: int) -> Resolved:
    """A network with two layers of this width."""
    model = {"kind": "mlp", "hidden": [width, width]}
    data = {"kind": "rows", "records": RECORDS, "target": "y"}
    return resolved_with_table({"model_name": name, "data": data, "model": model})[0]


def tensors_of(about: Resolved) -> dict[str, torch.Tensor]:
    """Its tensors, without memory."""
    return empty_model(about.spec, about.signature, {}).tensors()


def publish(store: Store, name: str, about: Resolved, file: Path, *, summary: bool) -> Version:
    """Publishes a version with this file of tensors."""
    spec = {key: value for key, value in about.spec.to_json().items() if key != "model_name"}
    manifest = {"format": 1, "spec": spec, "signature": about.signature.model_dump(mode="json", exclude_none=True)}
    summaries = {}
    if summary:
        summaries[TENSORS] = summarize(about.spec, about.signature, file, load_tensors(file)).model_dump()
    return store.models.publish_once(name, manifest, {STATE_DICT: file}, key=None, summaries=summaries)[0]


def write_zeros(tensors: dict[str, torch.Tensor], path: Path) -> None:
    """A safetensors file full of zeros, which takes no space on the disk."""
    header, at = {}, 0
    for name, tensor in tensors.items():
        size = tensor.numel() * tensor.element_size()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, at + size]}
        at += size
    text = orjson.dumps(header)
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + at)


@contextmanager
def serve(home: Path, settings: Mapping[str, str] | None = None) -> Iterator[tuple[httpx.Client, psutil.Process]]:
    """A service on the home, with these environment variables beside those of this process."""
    log = home.with_suffix(".log")
    with log.open("wb") as output:
        command = [sys.executable, "-m", "service", "serve", "--port", "0", "--home", str(home)]
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **(settings or {})})  # noqa: S603
    try:
        while not (address := re.search(r"http://127\.0\.0\.1:[1-9]\d*(?=\D)", log.read_text())):
            time.sleep(0.01)
        with httpx.Client(base_url=address[0], timeout=3600) as http:
            while http.get("/readyz").status_code != 200:
                time.sleep(0.01)
            yield http, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def evict(home: Path) -> None:
    """Removes the files of the store from the page cache."""
    for path in (home / "store").rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def asked(http: httpx.Client, process: psutil.Process, path: str) -> tuple[float, float]:
    """Milliseconds of a request, and MiB by which it has enlarged the service."""
    before, began = process.memory_info().rss, time.perf_counter()
    http.get(path).raise_for_status()
    took = time.perf_counter() - began
    return took * 1000, (process.memory_info().rss - before) / MIB


def over_http(home: Path) -> list[str]:
    """Rows of the table about versions with 1 GB."""
    store, about = Store.open(home / "store"), resolved("large", LARGE)
    for number in range(RUNS + 1):
        write_zeros(tensors_of(about), home / "zeros")
        publish(store, f"large-{number}", about, home / "zeros", summary=number < RUNS)
    lists, slices = [], []
    with serve(home) as (http, process):
        first = http.get("/v1/models/large-0/versions/1").json()["files"][STATE_DICT]["bytes"]
        for number in range(RUNS):
            evict(home)
            lists.append(asked(http, process, f"/v1/models/large-{number}/versions/1/parameters?statistics=false"))
        name = http.get("/v1/models/large-0/versions/1/parameters?statistics=false").json()["parameters"][2]["name"]
        for number in range(RUNS):
            evict(home)
            slices.append(
                asked(http, process, f"/v1/models/large-{number}/versions/1/state_dict?name={name}&rows=9:10")
            )
        old = f"/v1/models/large-{RUNS}/versions/1/parameters"
        bare, computed, again = (
            asked(http, process, f"{old}?statistics=false"),
            asked(http, process, old),
            asked(http, process, old),
        )
    return [
        f"| file of tensors | {first / 1e9:.2f} GB | | |",
        _row("list without statistics, the first of a process", lists[0], "≤ 50 ms, ≤ 5 MiB"),
        _row(f"the same of {RUNS - 1} other versions, median", _median(lists[1:]), "≤ 50 ms, ≤ 5 MiB"),
        _row(f"one row of {LARGE} numbers of {RUNS} versions, median", _median(slices), ""),
        _row("a version without summary: list without statistics", bare, ""),
        _row("with statistics, computed in a child process", computed, ""),
        _row("the same again", again, ""),
    ]


def _median(measured: list[tuple[float, float]]) -> tuple[float, float]:
    return median(each[0] for each in measured), median(each[1] for each in measured)


def _row(what: str, measured: tuple[float, float], must: str) -> str:
    return f"| {what} | {measured[0]:.1f} ms | {measured[1]:+.1f} MiB | {must} |"


def seconds_of(do: Callable[[], Any]) -> float:
    """The shortest of some runs: other processes of the machine only lengthen them."""
    took = []
    for _ in range(RUNS):
        began = time.perf_counter()
        do()
        took.append(time.perf_counter() - began)
    return min(took)


def in_process(home: Path) -> list[str]:
    """Rows of the table about loading 400 MB."""
    torch.set_num_threads(1)
    store, about = Store.open(home / "store"), resolved("medium", MEDIUM)
    tensors = {name: torch.rand(tensor.shape) for name, tensor in tensors_of(about).items()}
    write(tensors, home / "random")
    torch.save(tensors, home / "random.pt")
    version = publish(store, "medium", about, home / "random", summary=False)
    del tensors
    time.sleep(SETTLED_SECONDS + 0.5)  # a file that has just changed is not remembered as checked

    def load() -> Warm:
        return Warm(*open_model(store, version))

    def predict() -> None:
        warm = load()
        forward(warm, warm.blank_row())

    began = time.perf_counter()
    load()
    first = time.perf_counter() - began
    by_torch = seconds_of(lambda: torch.load(home / "random.pt", weights_only=True))
    again, with_forward = seconds_of(load), seconds_of(predict)
    return [
        f"| `torch.load` of the same tensors, 400 MB | {by_torch * 1000:.0f} ms | | |",
        f"| our load, the first of a process | {first * 1000:.0f} ms | {by_torch / first:.2f} × | |",
        f"| our load again | {again * 1000:.1f} ms | {by_torch / again:.1f} × | ≥ 3 × |",
        f"| our load again, and a forward of one row, which reads every number | {with_forward * 1000:.0f} ms "
        f"| {by_torch / with_forward:.1f} × | |",
    ]


def main() -> None:
    """Prints the tables as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        lines = [
            "| over HTTP, files not in the page cache | time | RSS of the service | must hold |",
            "|---|---|---|---|",
        ]
        lines += over_http(home)
        lines += ["", "| files in the page cache | time | as fast as `torch.load` | must hold |", "|---|---|---|---|"]
        lines += in_process(home)
        sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
