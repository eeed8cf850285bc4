"""`benchmarks/run formats`: the processor time that one request of 1000 rows of 8 numbers takes from the service, in every
format, as a multiple of our own JSON lists in the same run; and the same with a category and a missing value among the columns.

One service on one core, one connection from another. The formats alternate, one request each; the medians of many rounds
count. After each request the client pauses, so that its work does not overlap with the next. Beside it, the cost of a
category and a missing value in the shortest Python code that reads the same bodies without any check: see
`formats_sketch.py`.
"""

import csv
import io
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import polars
import psutil
import torch

from benchmarks import formats_sketch
from benchmarks.serving.load import Request
from benchmarks.serving.models import spec
from benchmarks.serving.peers.network import rows
from benchmarks.serving.servers import Ours, Server
from modelwright import Client

ROUNDS = int(os.environ.get("ROUNDS", "500"))
WARMING = 20  # rounds before those that count
ONLY = os.environ.get("FORMATS")  # names, separated by `;`; all if not set
PAUSE = 0.001
ROWS = 1000
NAMES = [f"x{i}" for i in range(8)]
LISTS = "JSON lists"
JSON, LINES, PARQUET = "application/json", "application/x-ndjson", "application/vnd.apache.parquet"
Table = list[list[Any]]


def table(mixed: bool) -> Table:
    """The rows; `mixed` has texts in the last column but one, and missing values in the last."""
    found: Table = rows(ROWS).tolist()
    if mixed:
        for i, row in enumerate(found):
            row[6:] = f"kind {i % 5}", None if i % 10 == 0 else row[7]
    return found


def post(path: str, document: object) -> Request:
    """The document as JSON."""
    return Request(path, json.dumps(document).encode())


def records(given: Table) -> list[dict[str, Any]]:
    """The rows as objects."""
    return [dict(zip(NAMES, row, strict=True)) for row in given]


def columns(given: Table) -> dict[str, list[Any]]:
    """The columns by name."""
    return dict(zip(NAMES, map(list, zip(*given, strict=True)), strict=True))


def as_lines(path: str, given: Table) -> Request:
    """JSON Lines of objects, for the request and the response."""
    body = "".join(json.dumps(each) + "\n" for each in records(given))
    return Request(path, body.encode(), {"Content-Type": LINES})


def as_csv(path: str, given: Table) -> Request:
    """With a header."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([NAMES, *given])
    return Request(path, text.getvalue().encode(), {"Content-Type": "text/csv"})


def as_parquet(path: str, given: Table) -> Request:
    """As polars writes it."""
    file = io.BytesIO()
    polars.DataFrame(columns(given)).write_parquet(file)
    return Request(path, file.getvalue(), {"Content-Type": PARQUET})


def as_open_inference(model: str, given: Table, nested: bool) -> Request:
    """One tensor of numbers; where there are texts, a tensor for each column."""
    if any(isinstance(value, str) for value in given[0]):
        tensors = [
            {
                "name": name,
                "shape": [ROWS, 1],
                "datatype": "BYTES" if isinstance(values[0], str) else "FP32",
                "data": [[each] for each in values] if nested else values,
            }
            for name, values in columns(given).items()
        ]
    else:
        data = given if nested else [value for row in given for value in row]
        tensors = [{"name": "input-0", "shape": [ROWS, len(NAMES)], "datatype": "FP32", "data": data}]
    return post(f"/v2/models/{model}/infer", {"inputs": tensors})


Make = Callable[[str, Table], Request]  # of a model's name and the rows
OWN, PREDICT, INVOCATIONS = "/v1/models/{}/predictions", "/v1/models/{}:predict", "/invocations"
MAKERS: dict[str, tuple[Make, float | None]] = {  # and what must hold
    LISTS: (lambda model, given: post(OWN.format(model), {"instances": given}), None),
    "JSON columns": (lambda model, given: post(OWN.format(model), {"inputs": columns(given)}), None),
    "records": (lambda model, given: post(OWN.format(model), {"instances": records(given)}), 2.5),
    "MLflow records": (lambda _, given: post(INVOCATIONS, {"dataframe_records": records(given)}), 2.5),
    "MLflow split": (
        lambda _, given: post(INVOCATIONS, {"dataframe_split": {"columns": NAMES, "data": given}}),
        1.3,
    ),
    "JSON Lines": (lambda model, given: as_lines(OWN.format(model), given), 2.5),
    "OIP JSON, flat": (lambda model, given: as_open_inference(model, given, nested=False), 1.15),
    "OIP JSON, nested": (lambda model, given: as_open_inference(model, given, nested=True), 1.3),
    "TF rows": (lambda model, given: post(PREDICT.format(model), {"instances": given}), 1.2),
    "TF columns": (lambda model, given: post(PREDICT.format(model), {"inputs": columns(given)}), 1.2),
    "CSV": (lambda model, given: as_csv(OWN.format(model), given), 2.0),
    "Parquet": (lambda model, given: as_parquet(OWN.format(model), given), 2.0),
}


class Connection:
    """A persistent connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)

    def ask(self, message: bytes) -> None:
        """Sends a request and reads its answer to the end."""
        self._socket.sendall(message)
        answer = b""
        while not _whole(answer):
            piece = self._socket.recv(2**20)
            if not piece:
                raise ConnectionError(f"the service closed the connection after {answer[:500]!r}")
            answer += piece
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise ValueError(f"refused: {answer[:500]!r}")


def _whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    _, declared, length = head.lower().partition(b"content-length: ")
    if not end or not declared:
        return bool(end) and body.endswith(b"0\r\n\r\n")
    return len(body) >= int(length.partition(b"\r\n")[0])


def message(request: Request) -> bytes:
    """As it goes over the wire."""
    head = f"POST {request.path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(request.body)}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return head.encode() + b"\r\n" + request.body


def processor(pid: int) -> int:
    """CPU nanoseconds of the threads of a process, which Linux counts for each thread."""
    return sum(int(each.read_text().split()[0]) for each in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def cost_of(server: Server, connection: Connection, request: bytes) -> int:
    """CPU nanoseconds of the service for one request."""
    before = processor(server.process.pid)
    connection.ask(request)
    time.sleep(PAUSE)
    return processor(server.process.pid) - before


def specs() -> list[dict[str, Any]]:
    """The specs of a model of numbers, and of one with a category and missing values. They train no epochs, so the weights
    stay random."""
    plain: Any = spec("plain", [64, 64], 0)
    mixed: Any = json.loads(json.dumps(spec("mixed", [64, 64], 0)))
    for i, each in enumerate(mixed["data"]["records"]):
        each |= {"x6": f"kind {i % 5}", "x7": None if i % 10 == 0 else each["x7"]}
    return [plain, mixed]


def publish(home: Path, core: int) -> None:
    """The models."""
    with (
        Ours(home).serve(core) as server,
        Client(f"http://127.0.0.1:{server.port}", transport=httpx.HTTPTransport()) as client,
    ):
        for each in specs():
            client.wait(client.train(each)["id"])


def measure(home: Path, core: int, mixed: bool, names: list[str]) -> dict[str, float]:
    """The median CPU seconds for each format."""
    model, given = "mixed" if mixed else "plain", table(mixed)
    messages = {name: message(MAKERS[name][0](model, given)) for name in names}
    seen: dict[str, list[int]] = {name: [] for name in names}
    with Ours(home, {"MODELWRIGHT_DEFAULT_MODEL": model}).serve(core) as server:
        connection = Connection(server.port)
        for each in [*messages.values()] * WARMING:
            connection.ask(each)
        for _ in range(ROUNDS):
            for name, each in messages.items():
                seen[name].append(cost_of(server, connection, each))
    return {name: median(each) / 1e9 for name, each in seen.items()}


def sketched(names: list[str]) -> dict[str, float]:
    """For each format, the time of the sketch with a category and missing values, as a multiple of its time without them."""
    torch.set_num_threads(1)
    models = [formats_sketch.warm(each) for each in specs()]
    tables = [table(mixed) for mixed in (False, True)]
    return {
        name: formats_sketch.ratio(
            models, [MAKERS[name][0]("any", each).body for each in tables], formats_sketch.READERS[name], ROUNDS
        )
        for name in names
    }


def line(name: str, plain: dict[str, float], mixed: dict[str, float], sketch: dict[str, float]) -> str:
    """A row of the table."""
    times, most = plain[name] / plain[LISTS], MAKERS[name][1]
    cells = f"| {name} | {plain[name] * 1e6:,.0f} | {times:.2f} × | "
    cells += "| |" if most is None else f"≤ {most:g} × | {'yes' if times <= most else '**no**'} |"
    of_it = mixed[name] / plain[name]
    cells += f" {mixed[name] * 1e6:,.0f} | {of_it:.2f} × | "
    cells += "| | " if most is None else f"≤ 1.5 × | {'yes' if of_it <= 1.5 else '**no**'} | "
    return cells + f"{sketch[name]:.2f} × |\n"


def main() -> None:
    """Prints the table as Markdown."""
    cores = sorted(os.sched_getaffinity(0))
    psutil.Process().cpu_affinity(cores[1:] or cores)
    names = [name for name in MAKERS if ONLY is None or name in (LISTS, *ONLY.split(";"))]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        publish(home, cores[0])
        plain, mixed = (measure(home, cores[0], each, names) for each in (False, True))
    sketch = sketched(names)
    sys.stdout.write(
        f"{ROWS} rows × {len(NAMES)} columns; processor time of the service for one request, medians of {ROUNDS} rounds. "
        "Mixed: one column holds texts, one misses some values. Sketch: the same ratio for the least Python that reads these "
        "bodies, without HTTP and without any check (`benchmarks/formats_sketch.py`).\n\n"
        "| format | µs | × JSON lists | must be | holds | mixed: µs | × without them | must be | holds | sketch |\n"
        "|---|---|---|---|---|---|---|---|---|---|\n"
    )
    for name in names:
        sys.stdout.write(line(name, plain, mixed, sketch))


if __name__ == "__main__":
    main()
