"""`benchmarks/run drift`: false alarms without drift, shifts that are found, and what counting takes.

Tables of 20 independent normal columns and their sum, which is the answer. Of each of 20 references there are 50 windows without
drift, and the same 50 with one column shifted by half a standard deviation. Then the time to count a row, alone, and the
processor time of a forward of a small network beside what a prediction does to have its rows counted, in turns.
"""

import sys
import time
from collections.abc import Callable
from statistics import median
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch

from service.serving.row_counter import RowCounter
from service.serving.served_version import ServedVersion
from service.serving.warm_models import Warm
from service.workflow.binning import Binning
from service.workflow.drift import compare
from service.workflow.reference import Reference
from service.workflow.reference_fit import reference_of
from service.workflow.signature import Signature
from service.workflow.split import Split

COLUMNS, SHIFTED, SHIFT = 20, 3, 0.5
REFERENCES, WINDOWS = 20, 50
SIZES = ((2000, 1000), (500, 1000), (2000, 100))  # rows of the reference and of a window
SIGNATURE = Signature.model_validate(
    {
        "task": "regression",
        "inputs": [{"name": f"x{at}", "type": "number"} for at in range(COLUMNS)],
        "outputs": [{"name": "y", "type": "number"}],
    }
)


def table(draw: np.random.Generator, rows: int) -> Any:
    """The columns of one table."""
    return draw.standard_normal((rows, COLUMNS)).astype(np.float32)


def answers(of: Any) -> Any:
    """The answers to its rows."""
    return of.sum(axis=1, keepdims=True)


def reference(of: Any) -> Reference:
    """The reference of a table, of which half is the validation part."""
    rows = torch.arange(len(of))
    parts = cast(Split, SimpleNamespace(train=rows, validation=rows[: len(rows) // 2]))
    return reference_of(SIGNATURE, torch.from_numpy(of), torch.from_numpy(answers(of)), parts)


def alarms(draw: np.random.Generator, reference_rows: int, window_rows: int) -> tuple[int, int]:
    """The windows without drift that have an alarm, and those with the shift in which it is found."""
    false = found = 0
    for _ in range(REFERENCES):
        made = reference(table(draw, reference_rows))
        binning, columns = Binning(SIGNATURE, made), [*made.inputs, *made.answers]
        for _ in range(WINDOWS):
            window = table(draw, window_rows)
            false += any(
                each.drifted for each in compare(columns, binning.split(binning.count(window, answers(window))))
            )
            window[:, SHIFTED] += SHIFT
            found += compare(columns, binning.split(binning.count(window, answers(window))))[SHIFTED].drifted
    return false, found


def seconds(of: Callable[[], object], times: int) -> float:
    """Processor time of one call."""
    began = time.process_time()
    for _ in range(times):
        of()
    return (time.process_time() - began) / times


def main() -> None:
    """Prints the tables."""
    torch.set_num_threads(1)
    draw = np.random.default_rng(1)
    sys.stdout.write(
        "| rows of the reference | rows of a window | windows | false alarms | shifts found |\n|---|---|---|---|---|\n"
    )
    for sizes in SIZES:
        false, found = alarms(draw, *sizes)
        sys.stdout.write(f"| {sizes[0]} | {sizes[1]} | {REFERENCES * WINDOWS} | {false} | {found} |\n")
        sys.stdout.flush()
    made = reference(table(draw, 2000))
    binning, many = Binning(SIGNATURE, made), table(draw, 10_000)
    sys.stdout.write(
        f"\ncounting a row of {COLUMNS} columns: {seconds(lambda: binning.count(many, answers(many)), 20) / 1e4:.2e} s\n"
    )
    network = torch.nn.Sequential(torch.nn.Linear(COLUMNS, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1))
    one = torch.from_numpy(many[:1].copy())
    warm = Warm(cast(Any, None), SIGNATURE, reference=made)
    version, counter = ServedVersion("d", "m", 1), RowCounter(lambda _: None)
    given = answers(one.numpy())

    def counted() -> None:
        for _ in range(2000):
            counter.add(version, warm, one, given)
        counter.flush()

    # In turns, so that both see the same machine.
    with torch.inference_mode():
        rounds = [(seconds(lambda: network(one), 2000), seconds(counted, 1) / 2000) for _ in range(9)]
    forward, added = (median(each) for each in zip(*rounds, strict=True))
    sys.stdout.write(
        f"forward of one row by a small network: {forward:.2e} s; having its row counted, with the thread: {added:.2e} s\n"
    )


if __name__ == "__main__":
    main()
