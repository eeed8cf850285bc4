"""Counts the rows that versions predict in the cells of their references, in a thread beside the predictions.

A prediction only appends its arrays to a buffer. The thread counts them once a second, and once a minute gives the counts of
each hour away, always all since the hour began: what could not be written is written the next time.
"""

import contextlib
import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from torch import Tensor

from service.serving.forward import Array
from service.serving.served_version import ServedVersion
from service.serving.warm_models import Warm
from service.workflow.binning import Binning, Numbers
from service.workflow.input_tensors import Tensors
from service.workflow.models.input_shapes import FEATURES

HOUR = 3600
BETWEEN_COUNTS, BETWEEN_WRITES = 1.0, 60.0  # seconds
MOST_OF_A_FORWARD = 1024  # rows that are counted, spread evenly over all
MOST_VALUES = 400_000  # raw features and answers between two counts: about 1 % of a core's time
MOST_VERSIONS = 64  # that are counted in an hour
log = logging.getLogger(__name__)


class HourCounts(NamedTuple):
    """The rows that this process has counted of a version, in an hour (numbered from 1970), in each cell of its reference."""

    version: ServedVersion
    hour: int
    source: str
    rows: int
    counts: list[int]


@dataclass(slots=True)
class _Hour:
    rows: int
    counts: Numbers
    written: int = 0  # rows, in what was written last


class RowCounter:
    """The counter of a process. Its methods may be called in any thread.

    Args:
        write: keeps the counts of some hours in place of those that it was given before; may raise.
        clock: gives the seconds since 1970.
    """

    def __init__(self, write: Callable[[list[HourCounts]], None], clock: Callable[[], float] = time.time) -> None:
        self._write = write
        self._clock = clock
        self._source = uuid.uuid4().hex
        self._buffer: deque[tuple[ServedVersion, Binning, Tensor | None, Array]] = deque()
        self._values = 0  # in the buffer, about: two threads that add at the same moment may lose a number
        self._hours: dict[tuple[ServedVersion, int], _Hour] = {}
        self._working = threading.Lock()
        self._stopping = threading.Event()
        self.counted = 0
        self.dropped = 0  # rows

    def add(self, version: ServedVersion, warm: Warm, raw: Tensors, answers: Array) -> None:
        """Counts the rows of a forward, or an even sample of many; drops them if the buffer is full. Never blocks.

        Args:
            version: that has predicted.
            warm: its model; without a reference nothing is counted.
            raw: features of n rows, which nobody changes any more.
            answers: as the model gives them, [n, k].
        """
        if (binning := warm.binning) is None:
            return
        features = raw if isinstance(raw, Tensor) else raw.get(FEATURES)
        rows = len(answers)
        if rows > MOST_OF_A_FORWARD:
            step = -(-rows // MOST_OF_A_FORWARD)
            # Copies: the rest of a large request must not be kept.
            features, answers = None if features is None else features[::step].clone(), answers[::step].copy()
        values = len(answers) * binning.width
        if self._values and self._values + values > MOST_VALUES:
            self.dropped += rows
            return
        self.dropped += rows - len(answers)
        self._values += values
        self._buffer.append((version, binning, features, answers))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Counts and writes inside the `with` block, and once more at its end."""
        thread = threading.Thread(target=self._run, name="row-counter", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            thread.join()
            self.flush()

    def flush(self) -> None:
        """Counts what is in the buffer, and writes what has changed. What cannot be written is kept for the next time."""
        with self._working:
            self._count()
            try:
                self._write_changed()
            except Exception as error:
                log.warning("the counts of rows for drift are not written, and are tried again: %s", error)

    def _run(self) -> None:
        due = time.monotonic() + BETWEEN_WRITES
        while not self._stopping.wait(BETWEEN_COUNTS):
            if time.monotonic() >= due:
                self.flush()
                due = time.monotonic() + BETWEEN_WRITES
            elif self._buffer:
                with self._working:
                    self._count()

    def _count(self) -> None:
        hour = int(self._clock() // HOUR)
        found: dict[tuple[ServedVersion, Binning], list[tuple[Tensor | None, Array]]] = {}
        with contextlib.suppress(IndexError):
            for _ in range(len(self._buffer)):
                version, binning, raw, answers = self._buffer.popleft()
                found.setdefault((version, binning), []).append((raw, answers))
        self._values = 0
        for (version, binning), forwards in found.items():
            rows = sum(len(answers) for _, answers in forwards)
            try:
                counts = _counted(binning, forwards)
            except Exception:
                log.exception("the rows of %s, version %d, cannot be counted for drift", version.name, version.number)
                self.dropped += rows
                continue
            self._add_counts((version, hour), rows, counts)

    def _add_counts(self, key: tuple[ServedVersion, int], rows: int, counts: Numbers) -> None:
        known = self._hours.get(key)
        if known is not None:
            known.rows, known.counts = known.rows + rows, known.counts + counts
        elif len(self._hours) < MOST_VERSIONS:
            self._hours[key] = _Hour(rows, counts)
        else:
            self.dropped += rows
            return
        self.counted += rows

    def _write_changed(self) -> None:
        changed = [(key, each) for key, each in self._hours.items() if each.rows > each.written]
        if changed:
            self._write(
                [
                    HourCounts(version, hour, self._source, each.rows, each.counts.tolist())
                    for (version, hour), each in changed
                ]
            )
        for _, each in changed:
            each.written = each.rows
        now = int(self._clock() // HOUR)
        for key in [key for key in self._hours if key[1] != now]:
            del self._hours[key]


def _counted(binning: Binning, forwards: list[tuple[Tensor | None, Array]]) -> Numbers:
    """The counts of several forwards together: one call for all takes a fraction of one for each."""
    raws = [raw.numpy() for raw, _ in forwards if raw is not None]
    return binning.count(np.concatenate(raws) if raws else None, np.concatenate([answers for _, answers in forwards]))
