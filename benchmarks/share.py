"""`benchmarks/run share`: exports of the default network over HTTP: their time and memory, predictions beside them, and one
row by ONNX Runtime beside our own forward. Each part yields rows of one table."""

import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime
import psutil
import torch

from model_store import Store
from modelwright import Client
from service.serving.codecs.instances import from_body
from service.serving.functional import functional
from service.use_cases.open_model import open_model
from tests.harness.server import Server

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS_EACH = float(os.environ.get("SECONDS_EACH", "10"))  # of predictions without an export
CALLS = 2000
MODULE = "service.workflow.exports.child"
FILES = {"torch_export": "table.pt2", "onnx": "table.onnx"}
ROW = {"a": 0.1, "b": -0.2, "c": 0.3, "d": 0.4, "colour": "red", "sold": "2024-05-01", "garden": True}


def records(count: int = 2000) -> list[dict[str, Any]]:
    """A table with every type of column."""
    draw = random.Random(0)  # noqa: S311 - test data
    made = []
    for _ in range(count):
        row: dict[str, Any] = {name: draw.gauss(0, 1) for name in "abcd"}
        row |= {"colour": draw.choice(["red", "green", "blue"]), "garden": draw.random() < 0.5}
        row["sold"] = f"2024-{draw.randrange(1, 13):02d}-{draw.randrange(1, 29):02d}"
        made.append(row | {"y": row["a"] * row["b"] + row["c"] + (row["colour"] == "red")})
    return made


class Children:
    """The processes that export: the processor time and the most memory of each, looked up every 50 ms."""

    def __init__(self, server: int) -> None:
        self._server = psutil.Process(server)
        self.seconds: dict[int, float] = {}
        self.resident: dict[int, int] = {}
        self.own: dict[int, int] = {}  # without the pages of mapped files
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Children":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            for child in self._server.children():
                try:
                    if MODULE not in child.cmdline():
                        continue
                    times, memory = child.cpu_times(), child.memory_info()
                except psutil.Error:
                    continue
                self.seconds[child.pid] = times.user + times.system
                self.resident[child.pid] = max(self.resident.get(child.pid, 0), memory.rss)
                self.own[child.pid] = max(self.own.get(child.pid, 0), memory.rss - memory.shared)


def latencies(client: Client, more: Callable[[], bool]) -> list[float]:
    """Seconds of predictions, one after another."""
    found = []
    while more():
        began = time.perf_counter()
        client.predict("table", [ROW])
        found.append(time.perf_counter() - began)
    return found


def p99(values: list[float]) -> float:
    """The 99th percentile."""
    return float(np.percentile(values, 99))


def exports(server: Server, folder: Path) -> Iterator[str]:
    """Both exports, one after another, with predictions beside them."""
    seconds: list[float] = []
    walls: list[float] = []
    resident = own = 0
    ratios: list[float] = []
    for _ in range(ROUNDS):
        for kept in (server.home / "cache" / "exports").glob("*"):
            kept.unlink()
        until = time.monotonic() + SECONDS_EACH
        with Children(server.process.pid):  # which costs this process time, so it runs beside both
            alone = latencies(server.client, lambda until=until: time.monotonic() < until)
        with Children(server.process.pid) as children:
            began = time.perf_counter()
            asking = threading.Thread(target=download, args=(server, folder))
            asking.start()
            beside = latencies(server.client, asking.is_alive)
            walls.append(time.perf_counter() - began)
        seconds.append(sum(children.seconds.values()))
        resident, own = max(resident, *children.resident.values()), max(own, *children.own.values())
        ratios.append(p99(beside) / p99(alone))
        yield f"| p99 of predictions alone, beside the exports | {p99(alone) * 1e3:.1f} ms, {p99(beside) * 1e3:.1f} ms | |"
    yield f"| the same, ratio (median of {ROUNDS}) | {median(ratios):.2f} | ≤ 2 |"
    yield f"| both exports: processor time of their processes | {median(seconds):.1f} s | ≤ 15 s |"
    yield f"| both exports: from the first request to the last byte, with the predictions | {median(walls):.1f} s | |"
    yield f"| most memory of one process, resident; its own | {resident / 1e6:.0f} MB; {own / 1e6:.0f} MB | ≤ 800 MB |"


def download(server: Server, folder: Path) -> None:
    """Both exports, by a client of its own."""
    with Client(server.url) as client:
        for name in FILES:
            client.download_export("table", 1, name, folder / FILES[name])


def microseconds(call: Callable[[], object]) -> float:
    """The median time of a call."""
    for _ in range(CALLS // 4):
        call()
    times = []
    for _ in range(CALLS):
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1e6)
    return median(times)


def one_row(server: Server, folder: Path) -> Iterator[str]:
    """One row by ONNX Runtime and by us, from arrays in memory, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / FILES["onnx"], options)
    feed = {name: np.array([ROW[name]], np.float32) for name in "abcd"}
    feed |= {"colour": np.array(["red"], object), "garden": np.array([True]), "sold": np.array([1714521600.0])}
    exported = torch.export.load(folder / FILES["torch_export"]).module()
    columns = torch.zeros(1, len(ROW), dtype=torch.float64)
    store = Store.open(server.home / "store")
    model, signature = open_model(store, store.models.get("table", 1))
    raw = from_body(signature, {"instances": [ROW]}, missing_allowed=True)
    ours = functional(model)
    with torch.inference_mode():
        for what, call in (
            ("ONNX Runtime, from named columns", lambda: session.run(None, feed)),
            ("our forward, from raw features", lambda: ours(raw)),
            ("the same model as a module of torch", lambda: model(raw)),
            ("`torch.export`, from columns", lambda: exported(columns)),
        ):
            yield f"| one row: {what} | {microseconds(call):.0f} µs | |"


@contextmanager
def service(folder: Path) -> Iterator[Server]:
    """A service with the default network trained on the table, as version 1 of `table`."""
    with Server(folder / "home", slots=1) as server:
        data = {"kind": "rows", "records": records(), "target": "y"}
        server.client.wait(server.client.train({"model_name": "table", "data": data, "training": {"epochs": 3}})["id"])
        yield server


def main() -> None:
    """Prints the table as Markdown."""
    torch.set_num_threads(1)
    sys.stdout.write("| what | measured | must hold |\n|---|---|---|\n")
    with tempfile.TemporaryDirectory() as name, service(Path(name)) as server:
        for part in (exports, one_row):
            for line in part(server, Path(name)):
                sys.stdout.write(line + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
