"""`benchmarks/run network`: the default network on 100k × 20, from rows in memory to an evaluated model, and one row's forward.

Early stopping is off, so that every epoch of the formula is trained. `BEFORE` may name a checkout of an earlier commit, whose
forward of one row is measured beside ours, in turns. Those models are not calibrated: a temperature takes some 10 µs more.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.in_process import resolved_with_table
from service.workflow.learn import learn

ROWS, COLUMNS = 100_000, 20


def records() -> list[dict[str, float]]:
    """A smooth function of some of the features, with noise."""
    x = torch.randn(ROWS, COLUMNS, generator=torch.Generator().manual_seed(0))
    noise = 0.3 * torch.randn(ROWS, generator=torch.Generator().manual_seed(1))
    y = x[:, 0] + torch.sin(2 * x[:, 1]) + x[:, 2] * x[:, 3] + noise
    names = [f"x{i}" for i in range(COLUMNS)]
    return [
        dict(zip(names, row, strict=True)) | {"y": target} for row, target in zip(x.tolist(), y.tolist(), strict=True)
    ]


def one_row(columns: int, classes: int) -> float:
    """The median time in µs of a default model's answer to one row, as a service computes it. This function runs in an earlier
    checkout as well."""
    from service.serving.functional import functional

    draw = torch.Generator().manual_seed(0)
    x = torch.randn(1000, columns, generator=draw).tolist()
    labels = torch.randint(classes, (1000,), generator=draw).tolist()
    rows = [{f"x{i}": value for i, value in enumerate(row)} | {"y": f"c{y}"} for row, y in zip(x, labels, strict=True)]
    data = {"kind": "rows", "records": rows, "target": "y"}
    spec = {"model_name": "one", "data": data, "training": {"epochs": 1}, "calibration": None}
    resolved, table = resolved_with_table(spec)
    answer = functional(learn(resolved.spec, resolved.signature, table, lambda *_: None).model, missing=False)
    return _median_time(answer, torch.zeros(1, columns))


def _median_time(call: Any, row: torch.Tensor) -> float:
    times = []
    with torch.inference_mode():
        for _ in range(500):
            call(row)
        for _ in range(4000):
            start = time.perf_counter()
            call(row)
            times.append((time.perf_counter() - start) * 1e6)
    return median(times)


def _beside(columns: int) -> str:
    """One row's forward of this and of the earlier checkout, each the median of three processes in turns."""
    found: dict[str, list[float]] = {}
    for _ in range(3):
        for root in filter(None, (str(Path(__file__).parents[1]), os.environ.get("BEFORE"))):
            command = [sys.executable, __file__, str(columns)]
            made = subprocess.run(  # noqa: S603 - this file
                command, env={**os.environ, "PYTHONPATH": root}, stdout=subprocess.PIPE, check=True
            )
            found.setdefault(root, []).append(float(made.stdout))
    now, *before = (median(times) for times in found.values())
    beside = f", before {before[0]:.0f} µs, {now / before[0]:.2f} ×" if before else ""
    return f"| one row of {columns} numbers, three classes, as served | {now:.0f} µs{beside} | ≤ 1.5 × |\n"


def main() -> None:
    """Prints the table as Markdown."""
    data = {"kind": "rows", "records": records(), "target": "y"}
    resolved, table = resolved_with_table({"model_name": "big", "data": data, "training": {"early_stopping": None}})
    began, worked = time.perf_counter(), time.process_time()
    learned = learn(resolved.spec, resolved.signature, table, lambda *_: None)
    seconds, cpu = time.perf_counter() - began, time.process_time() - worked
    forward = _median_time(learned.model, torch.zeros(1, COLUMNS))
    training = resolved.spec.training
    sys.stdout.write(
        "| what | measured | must hold |\n|---|---|---|\n"
        f"| epochs, batch size, by the formula | {training.epochs}, {training.batch_size} | |\n"
        f"| training and evaluation on one thread | {seconds:.0f} s ({cpu:.0f} s of CPU) | ≤ 120 s |\n"
        f"| forward of one row, preprocessing and answer included, median | {forward:.0f} µs | ≤ 200 µs |\n"
        f"| test R² (baseline) | {learned.evaluation.metrics['test']['r2']:.4f} "
        f"({learned.evaluation.metrics['baseline']['r2']:.4f}) | |\n"
    )
    sys.stdout.writelines(map(_beside, (4, 20, 60)))


if __name__ == "__main__":
    torch.set_num_threads(1)
    if len(sys.argv) > 1:
        sys.stdout.write(str(one_row(int(sys.argv[1]), classes=3)))
    else:
        main()
