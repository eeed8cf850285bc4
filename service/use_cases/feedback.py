"""Feedback: what turned out to be true of predictions that were logged.

FeedbackError
├── PredictionLogOff      there is nothing that feedback could be about
├── PredictionNotLogged   the log has no such request
└── InvalidFeedback       a row or a truth that does not fit the request
"""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from model_store import Store
from service.use_cases.feedback_file import Judged, add
from service.use_cases.log_files import FoundRow
from service.use_cases.prediction_log import PredictionLog
from service.workflow.data.types.category import as_text
from service.workflow.errors import Fault
from service.workflow.signature import Output, Signature
from service.workflow.spec_base import MOST_FAULTS, nearest, shown
from service.workflow.tasks import Task

MOST = 1000  # of one request
LONGEST_ID = 128
MOST_ROW = 2**53


class FeedbackError(Exception):
    """The feedback cannot be taken."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(self.__doc__)
        self.faults = faults


class PredictionLogOff(FeedbackError):
    """The log of predictions is off; the operator sets MODELWRIGHT_PREDICTION_LOG to the share of requests that it keeps."""


class PredictionNotLogged(FeedbackError):
    """The log of predictions has no such request."""


class InvalidFeedback(FeedbackError):
    """The feedback does not fit the predictions."""


class Feedback(NamedTuple):
    """What was true of one row of a request; `pointer` is its place in the document."""

    pointer: str
    request_id: str
    row: int
    truth: Any


def parse(document: Any) -> list[Feedback]:
    """One feedback, or `{"feedback": […]}` with up to `MOST`.

    Raises:
        InvalidFeedback: what is wrong, by its place.
    """
    if not isinstance(document, dict) or "feedback" not in document:
        return [_one(document, "")]
    listed = document["feedback"]
    if document.keys() != {"feedback"} or not isinstance(listed, list) or not 1 <= len(listed) <= MOST:
        raise InvalidFeedback(Fault("/feedback", f"expected only this list, of 1 to {MOST} objects"))
    return [_one(each, f"/feedback/{at}") for at, each in enumerate(listed)]


def give(store: Store, log: PredictionLog, name: str, given: Sequence[Feedback]) -> dict[int, int]:
    """Keeps the feedback on a model's predictions, all of it or none; returns how much of it each version got.

    Raises:
        NameNotFound: there is no such model.
        FeedbackError: see the module.
        NoSpace, Unavailable: it could not be stored; the same may be sent again.
    """
    store.models.latest_number(name)
    if log.share is None:
        raise PredictionLogOff
    logged = log.find(name, {each.request_id for each in given})
    unknown = [
        Fault(f"{each.pointer}/request_id", _unknown(each.request_id, log.share))
        for each in given
        if each.request_id not in logged
    ]
    if unknown:
        raise PredictionNotLogged(*unknown[:MOST_FAULTS])
    signatures: dict[int, Signature] = {}
    judged: dict[int, list[Judged]] = {}
    faults = list[Fault]()
    for each in given:
        try:
            found = _row(each, logged[each.request_id])
            if found.version not in signatures:
                manifest = store.models.get(name, found.version).manifest
                signatures[found.version] = Signature.model_validate(manifest["signature"])
            truth = _truth(each, signatures[found.version])
        except InvalidFeedback as error:
            faults += error.faults
            if len(faults) >= MOST_FAULTS:
                break
        else:
            row = Judged(each.request_id, each.row, found.at, found.answer, truth)
            judged.setdefault(found.version, []).append(row)
    if faults:
        raise InvalidFeedback(*faults[:MOST_FAULTS])
    for number, rows in judged.items():
        add(log.files.of(name, number), rows, time.time())
    return {number: len(rows) for number, rows in sorted(judged.items())}


def _one(given: Any, pointer: str) -> Feedback:
    if not isinstance(given, dict) or not {"request_id", "truth"} <= given.keys() <= {"request_id", "row", "truth"}:
        example = '{"request_id": "3f0c9a7be51d4286", "row": 0, "truth": …}'
        raise InvalidFeedback(Fault(pointer, f"expected {example}; `row` is 0 if it is left out"))
    request_id, row = given["request_id"], given.get("row", 0)
    if not isinstance(request_id, str) or not 1 <= len(request_id) <= LONGEST_ID:
        raise InvalidFeedback(Fault(f"{pointer}/request_id", "expected the Request-Id of the response, a text"))
    if isinstance(row, float) and row.is_integer():  # 1.0 is an integer in JSON
        row = int(row)
    if type(row) is not int or not 0 <= row < MOST_ROW:
        raise InvalidFeedback(Fault(f"{pointer}/row", "expected the position of a row in its request, from 0"))
    return Feedback(pointer, request_id, row, given["truth"])


def _unknown(request_id: str, share: float) -> str:
    kept = "" if share == 1 else f", which keeps {share:g} of the requests"
    return f"no prediction with the id {shown(request_id)} is in the log{kept}; it keeps them for a limited time"


def _row(given: Feedback, rows: dict[int, FoundRow]) -> FoundRow:
    if given.row not in rows:
        message = f"the request has the rows 0 to {max(rows)}"
        raise InvalidFeedback(Fault(f"{given.pointer}/row", message))
    return rows[given.row]


def _truth(given: Feedback, signature: Signature) -> list[float]:
    """The truth as an evaluation takes it: the targets' numbers, the position of the class, or 0 and 1 for each label."""
    pointer, truth, outputs = f"{given.pointer}/truth", given.truth, signature.outputs
    if signature.classifies:
        return [_position(pointer, truth, [as_text(each) for each in signature.classes])]
    if signature.task is Task.MULTILABEL:
        names = [each.name for each in outputs]
        if not isinstance(truth, list) or not all(isinstance(each, str) for each in truth):
            raise InvalidFeedback(Fault(pointer, "expected the list of the labels that are true"))
        for at, each in enumerate(truth):
            _position(f"{pointer}/{at}", each, names)
        return [float(each in truth) for each in names]
    if len(outputs) == 1:
        return [_number(pointer, truth)]
    return _numbers(pointer, truth, outputs)


def _position(pointer: str, value: Any, known: list[str]) -> float:
    if not isinstance(value, str | bool | int | float):
        raise InvalidFeedback(Fault(pointer, f"expected a class, such as {shown(known[0])}"))
    if (text := as_text(value)) not in known:
        raise InvalidFeedback(Fault(pointer, f"{shown(value)} is not known to the model; {nearest(text, known)}"))
    return float(known.index(text))


def _number(pointer: str, value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)  # finite: strict JSON has no other numbers
    raise InvalidFeedback(Fault(pointer, "expected a finite number"))


def _numbers(pointer: str, truth: Any, outputs: list[Output]) -> list[float]:
    if not isinstance(truth, list) or len(truth) != len(outputs):
        names = ", ".join(each.name for each in outputs)
        raise InvalidFeedback(Fault(pointer, f"expected a list of {len(outputs)} numbers: {names}"))
    return [_number(f"{pointer}/{at}", each) for at, each in enumerate(truth)]
