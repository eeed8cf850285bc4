"""The counter of a process: what it counts, writes, keeps and drops."""

from typing import Any

import numpy as np
import torch

from service.serving.row_counter import HOUR, MOST_OF_A_FORWARD, MOST_VALUES, MOST_VERSIONS, HourCounts, RowCounter
from service.serving.served_version import ServedVersion
from service.serving.warm_models import Warm
from service.workflow.reference import Reference
from service.workflow.signature import Signature

SIGNATURE = Signature.model_validate(
    {"task": "regression", "inputs": [{"name": "x", "type": "number"}], "outputs": [{"name": "y", "type": "number"}]}
)
COLUMN = {"edges": [0.0], "counts": [5, 5]}
REFERENCE = Reference.model_validate(
    {"inputs": [{"name": "x", **COLUMN}], "answers": [{"name": "y", **COLUMN}], "answers_part": "validation"}
)
WARM = Warm(None, SIGNATURE, reference=REFERENCE)  # type: ignore[arg-type] # no forward is computed
VERSION = ServedVersion("d1", "line", 1)


class Kept:
    """What a counter has written, and its clock."""

    def __init__(self) -> None:
        self.now = 10.0 * HOUR
        self.fails = False
        self.written: list[HourCounts] = []
        self.counter = RowCounter(self.write, lambda: self.now)

    def write(self, hours: list[HourCounts]) -> None:
        if self.fails:
            raise OSError("not now")
        self.written += hours

    def add(self, *values: float, version: ServedVersion = VERSION) -> None:
        column: Any = np.array(values, np.float32).reshape(-1, 1)
        self.counter.add(version, WARM, torch.from_numpy(column), -column)


def test_rows_are_counted_with_their_answers() -> None:
    kept = Kept()
    kept.add(1)
    kept.add(-1, 2, float("nan"))
    kept.counter.flush()
    found = kept.written[0]
    assert (found.version, found.hour, found.rows) == (VERSION, 10, 4)
    assert found.counts == [1, 2, 1, 0, 2, 1, 1, 0]
    kept.counter.flush()
    assert len(kept.written) == 1  # nothing has changed


def test_what_could_not_be_written_is_written_the_next_time() -> None:
    kept = Kept()
    kept.fails = True
    kept.add(1)
    kept.counter.flush()
    kept.fails, kept.now = False, 11.0 * HOUR
    kept.add(1, 1)
    kept.counter.flush()
    assert [(each.hour, each.rows) for each in kept.written] == [(10, 1), (11, 2)]


def test_a_large_forward_is_sampled_evenly_and_a_full_buffer_drops() -> None:
    kept = Kept()
    rows = 10 * MOST_OF_A_FORWARD
    kept.add(*np.linspace(-1, 1, rows))
    kept.counter.flush()
    below, above = kept.written[0].counts[:2]
    assert below + above == MOST_OF_A_FORWARD and abs(below - above) <= 1
    assert kept.counter.dropped == rows - MOST_OF_A_FORWARD
    fits = MOST_VALUES // (2 * MOST_OF_A_FORWARD)
    for _ in range(fits + 3):
        kept.add(*[1.0] * MOST_OF_A_FORWARD)
    kept.counter.flush()
    assert kept.counter.counted == (fits + 1) * MOST_OF_A_FORWARD
    assert kept.counter.dropped == rows + 2 * MOST_OF_A_FORWARD


def test_there_is_a_limit_on_versions() -> None:
    kept = Kept()
    for number in range(MOST_VERSIONS + 5):
        kept.add(1, version=ServedVersion("d", "line", number))
    kept.counter.flush()
    assert (len(kept.written), kept.counter.dropped) == (MOST_VERSIONS, 5)


def test_the_last_rows_are_written_at_the_end() -> None:
    kept = Kept()
    with kept.counter.at_work():
        kept.add(1)
    assert [each.rows for each in kept.written] == [1]


def test_without_a_reference_nothing_is_counted() -> None:
    kept = Kept()
    blind = Warm(None, SIGNATURE)  # type: ignore[arg-type] # no forward is computed
    kept.counter.add(VERSION, blind, torch.zeros(1, 1), np.zeros((1, 1)))
    kept.counter.flush()
    assert kept.written == []
