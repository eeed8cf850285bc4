"""`benchmarks/run network`: the default network on 100k × 20, from rows in memory to an evaluated model, and one row's forward.

Early stopping is off, so that every epoch of the formula is trained.
"""

import sys
import time
from statistics import median

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


def main() -> None:
    """Prints the table as Markdown."""
    torch.set_num_threads(1)
    data = {"kind": "rows", "records": records(), "target": "y"}
    resolved, table = resolved_with_table({"model_name": "big", "data": data, "training": {"early_stopping": None}})
    began, worked = time.perf_counter(), time.process_time()
    learned = learn(resolved.spec, resolved.signature, table, lambda *_: None)
    seconds, cpu = time.perf_counter() - began, time.process_time() - worked
    row, model = torch.zeros(1, COLUMNS), learned.model
    with torch.inference_mode():
        for _ in range(500):
            model(row)
        times = []
        for _ in range(2000):
            start = time.perf_counter()
            model(row)
            times.append((time.perf_counter() - start) * 1e6)
    training = resolved.spec.training
    sys.stdout.write(
        "| what | measured | must hold |\n|---|---|---|\n"
        f"| epochs, batch size, by the formula | {training.epochs}, {training.batch_size} | |\n"
        f"| training and evaluation on one thread | {seconds:.0f} s ({cpu:.0f} s of CPU) | ≤ 120 s |\n"
        f"| forward of one row, preprocessing and answer included, median | {median(times):.0f} µs | ≤ 200 µs |\n"
        f"| test R² (baseline) | {learned.evaluation.metrics['test']['r2']:.4f} "
        f"({learned.evaluation.metrics['baseline']['r2']:.4f}) | |\n"
    )


if __name__ == "__main__":
    main()
