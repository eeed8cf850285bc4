"""`benchmarks/run reading`: a CSV file of 1M × 20 to tensors, beside polars' own reading of it; and what it adds to the
memory of the process.

One file, written first; the contenders alternate, each in a process of its own; the medians count.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

RUNS = int(os.environ.get("RUNS", "5"))
ROWS, COLUMNS = 1_000_000, 20


def write(path: Path) -> None:
    """The file, of normally distributed numbers."""
    import numpy as np
    import polars as pl

    values = np.random.default_rng(0).normal(size=(ROWS, COLUMNS))
    pl.DataFrame({f"x{i}": values[:, i] for i in range(COLUMNS)}).write_csv(path)


def anonymous_bytes() -> int:
    """The current anonymous memory; the kernel does not report its maximum."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) * 1024


def ours(path: Path) -> dict[str, float]:
    """Seconds to a float32 tensor [rows, columns], and the growth of anonymous memory on the way."""
    import threading

    import torch

    from service.workflow.data.read import read
    from service.workflow.data.reading import Reading
    from service.workflow.data.schema import Column, Schema
    from service.workflow.data.table import RequestedColumn
    from service.workflow.encode import raw_features
    from service.workflow.signature import Input

    torch.set_num_threads(1)
    import polars  # noqa: F401 - its import is not what is measured

    inputs = [Input(name=f"x{i}", type="number") for i in range(COLUMNS)]
    columns = [Column(name=each.name, type="number") for each in inputs]
    schema = Schema(rows=ROWS, columns=columns, reading=Reading(separator=",", well_formed=True))
    before, most, done = anonymous_bytes(), 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.005):
            most = max(most, anonymous_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    table = read(path, "text/csv", schema, {each.name: RequestedColumn("number") for each in inputs}, path.parent)
    tensor = raw_features(inputs, table.columns)
    seconds = time.perf_counter() - began
    done.set()
    watcher.join()
    return {"seconds": seconds, "growth": max(most, anonymous_bytes()) - before, "tensor": tensor.nbytes}


def polars(path: Path) -> dict[str, float]:
    """Seconds of polars' own `read_csv`."""
    import polars as pl

    began = time.perf_counter()
    pl.read_csv(path)
    return {"seconds": time.perf_counter() - began}


def main() -> None:
    """Prints the table as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        write(path)
        runs: dict[str, list[dict[str, float]]] = {"ours": [], "polars": []}
        for _ in range(RUNS):
            for name, measured in runs.items():
                command = [sys.executable, __file__, name, str(path)]
                done = subprocess.run(command, capture_output=True, check=True)  # noqa: S603
                measured.append(json.loads(done.stdout))
    mine, theirs = (median(each["seconds"] for each in runs[name]) for name in ("ours", "polars"))
    growth = median(each["growth"] for each in runs["ours"])
    limit = 3 * runs["ours"][0]["tensor"] + 64 * 2**20
    sys.stdout.write(
        "| what | measured | must hold |\n|---|---|---|\n"
        f"| polars.read_csv, median seconds | {theirs:.2f} | |\n"
        f"| CSV to tensors, median seconds | {mine:.2f} | |\n"
        f"| speed as a share of polars' own | {theirs / mine:.0%} | ≥ 40 % |\n"
        f"| growth of anonymous memory, MiB | {growth / 2**20:.0f} | ≤ {limit / 2**20:.0f} |\n"
    )


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in ("ours", "polars"):
        sys.stdout.write(json.dumps({"ours": ours, "polars": polars}[sys.argv[1]](Path(sys.argv[2]))))
    else:
        main()
