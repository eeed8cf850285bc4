"""What the log of predictions keeps of one request, gathered while it is answered."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor

from service.serving.codecs.codec import Rows
from service.serving.forward import Array
from service.serving.served_version import ServedVersion
from service.workflow.models.input_shapes import FEATURES
from service.workflow.signature import Signature


class AnsweredRows(NamedTuple):
    """Some rows of a request: their raw features [n, w], or None if all values have a shape, and the answers [n, outputs]."""

    request_id: str
    first: int  # the position of their first in the request
    version: ServedVersion
    signature: Signature
    raw: Tensor | list[list[float]] | None
    answers: Array

    @property
    def bytes(self) -> int:
        """About how many bytes of memory they take."""
        if isinstance(self.raw, list):
            return self.answers.nbytes + 40 * sum(map(len, self.raw))
        return self.answers.nbytes + (0 if self.raw is None else self.raw.nbytes)


@dataclass(slots=True, eq=False)
class PredictionRecord:
    """Gathers the rows of one request. Values that have a shape, such as images, are left out.

    Args:
        request_id: the request's id.
        take: is given the rows once they are answered; it must not block.
    """

    request_id: str
    take: Callable[[AnsweredRows], None]
    _count: int = 0
    _parts: list[AnsweredRows] = field(default_factory=list)

    def add(self, version: ServedVersion, signature: Signature, rows: Rows, answers: Array) -> None:
        """Adds the next rows with their answers, before they are sent. Called from any thread."""
        raw = rows.get(FEATURES) if isinstance(rows, dict) else rows
        self._parts.append(AnsweredRows(self.request_id, self._count, version, signature, raw, answers))
        self._count += len(answers)

    def end(self) -> None:
        """Gives what was added to the log: once the answer is sent, or after each batch of a stream."""
        parts, self._parts = self._parts, []
        for each in parts:
            self.take(each)


BeginRecord = Callable[[str], PredictionRecord | None]  # for a request's id; None if the log does not keep the request
