"""The model store on a local disk: a large publish beside `cp` and `sync`, questions about 10,000 versions, the list of 1,000
models over HTTP, and parallel publishers of one name."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from model_store import Store
from model_store.backends.backend import Backend
from model_store.backends.local import LocalBackend

MEGABYTES = int(os.environ.get("MEGABYTES", "400"))
VERSIONS = int(os.environ.get("VERSIONS", "10000"))
MODELS = int(os.environ.get("MODELS", "1000"))
LISTS = int(os.environ.get("LISTS", "200"))
PUBLISHERS = 32
QUESTIONS = 1000
ROUNDS = 3


def large_publish(folder: Path) -> None:
    """The same bytes by `cp` and `sync -f`, and by a publish, which also computes the digest; alternating."""
    source = folder / "source"
    with source.open("wb") as file:
        for _ in range(MEGABYTES):
            file.write(os.urandom(2**20))
    subprocess.run(["sync"], check=True)  # noqa: S607
    copies, publishes = [], []
    for number in range(ROUNDS):
        began = time.perf_counter()
        subprocess.run(["cp", str(source), str(folder / "copy")], check=True)  # noqa: S603, S607
        subprocess.run(["sync", str(folder / "copy")], check=True)  # noqa: S603, S607
        copies.append(time.perf_counter() - began)
        (folder / "copy").unlink()
        fresh = folder / "fresh"
        shutil.copyfile(source, fresh)
        with fresh.open("r+b") as file:  # other bytes, so that they are stored again
            file.write(number.to_bytes(8, "big"))
        store = Store.open(folder / "large")
        began = time.perf_counter()
        store.models.publish("large", {}, {"state_dict": fresh})
        publishes.append(time.perf_counter() - began)
    copy, publish = statistics.median(copies), statistics.median(publishes)
    sys.stdout.write(f"| `cp` and `sync` of {MEGABYTES} MB | {copy:.2f} s |\n")
    sys.stdout.write(
        f"| publish of {MEGABYTES} MB, digest included | {publish:.2f} s, {copy / publish:.2f} of the speed of `cp` |\n"
    )


class Unsynced(LocalBackend):
    """To fill a store quickly: what is written is not flushed."""

    def create(self, key: str, data: bytes) -> None:
        """Writes in place."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def many_versions(folder: Path) -> None:
    """The latency of questions about a model with very many versions."""
    filling: Backend = Unsynced(folder / "many")
    store = Store(filling)
    for _ in range(VERSIONS):
        _append(store, "many")
    store = Store.open(folder / "many")
    store.aliases.set("many", "production", VERSIONS // 2)
    questions: dict[str, Callable[[], Any]] = {
        "first page of 20 versions": lambda: [
            store.models.get("many", n) for n in store.models.newest("many", None, 20)
        ],
        "`latest`": lambda: store.resolve("many", "latest"),
        "alias": lambda: store.resolve("many", "production"),
    }
    for name, ask in questions.items():
        sys.stdout.write(f"| {name}, of {VERSIONS} versions | {latency(ask, QUESTIONS)} |\n")


def latency(ask: Callable[[], Any], times: int) -> str:
    """The median and p99 of so many calls, in words."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - began) * 1000)
    taken.sort()
    return f"median {taken[len(taken) // 2]:.2f} ms, p99 {taken[len(taken) * 99 // 100]:.2f} ms"


def many_models(folder: Path) -> None:
    """The list of all models over HTTP, each with three versions and an alias."""
    from benchmarks.open_large import serve

    store = Store(Unsynced(folder / "store"))
    for number in range(MODELS):
        name = f"model-{number:04}"
        for version in range(3):
            store.models.publish(name, {"format": 1, "metrics": {"test": {"rmse": version / 3}}}, {})
        store.aliases.set(name, "production", 2)
    store.sweep(3600)
    with serve(folder) as (http, process):

        def ask() -> None:
            found = http.get("/v1/models", params={"limit": MODELS}).raise_for_status().json()
            if len(found["data"]) != MODELS:
                raise AssertionError("not all models were listed")

        began = time.perf_counter()
        ask()
        first = (time.perf_counter() - began) * 1000
        before = sum(process.cpu_times()[:2])
        taken = latency(ask, LISTS)
        cpu = (sum(process.cpu_times()[:2]) - before) / LISTS * 1000
    sys.stdout.write(f"| list of {MODELS} models over HTTP, the first of a process | {first:.0f} ms |\n")
    sys.stdout.write(f"| the same again | {taken}, {cpu:.1f} ms of CPU |\n")


_next = 0


def _append(store: Store, name: str) -> None:
    """Publishes the next version with the calls of a publish that do not list."""
    from model_store.clock import rfc3339, utc_now
    from model_store.content_id import new_content_id
    from model_store.manifest import encode_manifest, manifest_digest
    from model_store.record import Record

    global _next
    _next += 1
    data = encode_manifest({"n": _next, "files": {}})
    record = Record(manifest_digest(data), new_content_id(utc_now()), None, rfc3339(utc_now()))
    store.models.contents(name).write(record.content, data, {}, {})
    store.models.records(name).claim(_next, record, lambda _: None)


def _publish(arguments: tuple[str, int]) -> int:
    folder, number = arguments
    file = Path(folder) / f"file{number}"
    file.write_bytes(os.urandom(1000))
    return Store.open(Path(folder) / "parallel").models.publish("one", {"n": number}, {"f": file}).number


def parallel_publishers(folder: Path) -> None:
    """Processes that publish one name at once."""
    began = time.perf_counter()
    with ProcessPoolExecutor(PUBLISHERS) as processes:
        numbers = sorted(processes.map(_publish, [(str(folder), number) for number in range(PUBLISHERS)]))
    taken = time.perf_counter() - began
    store = Store.open(folder / "parallel")
    whole = numbers == store.models.numbers("one") == list(range(1, PUBLISHERS + 1)) and not store.verify()
    got = "1..32, no gap, no twin" if whole else str(numbers)
    sys.stdout.write(f"| {PUBLISHERS} processes publish one name | {got}, {taken:.1f} s |\n")


def main() -> None:
    """All of them, on the disk of the temporary folder."""
    sys.stdout.write("| what | figure |\n|---|---|\n")
    for measure in (large_publish, many_versions, many_models, parallel_publishers):
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
