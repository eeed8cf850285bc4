"""A prediction that waits for its forward."""

import time
from collections.abc import Callable
from typing import Any, Protocol

import torch

from service.serving.codecs.codec import Encoder, Rows
from service.serving.served_version import ServedVersion
from service.serving.warm_models import Warm

FULL_PLACE_WORK = 250_000_000  # work of a request that takes a whole place in the queue: some 5 ms of one core
LEAST_PLACE = 1 / 8  # that a small one takes

StageObserver = Callable[[str, float], None]  # is given a stage and its seconds; called from any thread


class Waiter(Protocol):
    """What waits for the body of an answer: an `asyncio.Future`, or an object with these methods of one."""

    def done(self) -> bool:
        """Whether nothing waits any more."""

    def set_result(self, result: bytes) -> None:
        """Takes the body."""

    def set_exception(self, exception: Exception) -> None:
        """Takes the reason why there is none."""


class PendingPrediction:
    """The rows of one request, and what waits for the answer.

    Args:
        rows: raw features [n, slots], or lists of numbers, which become a tensor together with those of other requests.
        deadline: as `time.perf_counter` counts, after which the answer is of no use.
        mergeable: whether other requests may share its forward.
        observer: is given the seconds of each stage.
    """

    __slots__ = (
        "count",
        "deadline",
        "encoder",
        "in_thread",
        "mergeable",
        "observer",
        "raw",
        "rows",
        "since",
        "version",
        "waiter",
        "warm",
        "work",
    )

    def __init__(
        self,
        version: ServedVersion,
        warm: Warm,
        rows: Rows,
        encoder: Encoder,
        waiter: Waiter,
        *,
        deadline: float | None = None,
        mergeable: bool = True,
        observer: StageObserver | None = None,
    ) -> None:
        self.version = version
        self.warm = warm
        self.raw: torch.Tensor | None = rows if isinstance(rows, torch.Tensor) else None
        self.rows: list[Any] | None = None if isinstance(rows, torch.Tensor) else rows
        self.count = len(rows)
        self.work = warm.work * self.count
        self.encoder = encoder
        self.in_thread = encoder.imports
        self.waiter: Waiter = waiter
        self.deadline = deadline
        self.mergeable = mergeable
        self.since = time.perf_counter()
        self.observer = observer

    @property
    def place(self) -> float:
        """The part of a place in the queue that it takes, by its work."""
        return min(1.0, max(LEAST_PLACE, self.work / FULL_PLACE_WORK))
