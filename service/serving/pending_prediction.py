"""A prediction in the queue."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from service.serving.codecs.codec import Encoder, Rows
from service.serving.prediction_record import PredictionRecord
from service.serving.served_version import ServedVersion
from service.serving.warm_models import Warm
from service.workflow.input_tensors import rows_in

FULL_PLACE_WORK = 250_000_000  # work of a request that takes a full place in the queue: about 5 ms of one core
LEAST_PLACE = 1 / 8  # the part of a place that a small request takes

StageObserver = Callable[[str, float], None]  # is given a stage and its seconds; called from any thread


class Waiter(Protocol):
    """Receives the body of an answer: an `asyncio.Future`, or an object with these methods of one."""

    def done(self) -> bool:
        """Whether the body is no longer needed."""

    def set_result(self, result: bytes) -> None:
        """Receives the body."""

    def set_exception(self, exception: Exception) -> None:
        """Receives the error if the prediction failed."""


@dataclass(slots=True, eq=False)
class PendingPrediction:
    """The rows of one request, and the receiver of the answer.

    Args:
        version: the version that predicts.
        warm: its model.
        rows: raw features, or lists of numbers, which become one tensor with those of other requests.
        encoder: of the answer.
        waiter: receives the body.
        deadline: in seconds of `time.perf_counter`.
        mergeable: whether other requests may share its forward.
        observer: is given the seconds of each stage.
        record: is given the rows and their answers.
    """

    version: ServedVersion
    warm: Warm
    rows: Rows
    encoder: Encoder
    waiter: Waiter
    deadline: float | None = None
    mergeable: bool = True
    observer: StageObserver | None = None
    record: PredictionRecord | None = None
    count: int = field(init=False)
    work: int = field(init=False)
    in_thread: bool = field(init=False)
    since: float = field(init=False)

    def __post_init__(self) -> None:
        self.count = rows_in(self.rows)
        self.work = self.warm.work * self.count
        self.in_thread = self.encoder.imports
        self.since = time.perf_counter()

    @property
    def place(self) -> float:
        """The part of a place in the queue that it takes for its work."""
        return min(1.0, max(LEAST_PLACE, self.work / FULL_PLACE_WORK))
