"""A request that asks for the interval or the set of each prediction, in its body of JSON or its query."""

from dataclasses import dataclass
from typing import Any

from service.serving.limits import invalid
from service.serving.warm_models import Warm
from service.workflow.errors import NoIntervals
from service.workflow.tasks import Task

FIELD = "interval"
HOW = "train it with a calibration part, such as split.calibration 0.15"


@dataclass(frozen=True, slots=True)
class AskedInterval:
    """What a decoder has made of a body, and the level."""

    decoded: Any
    level: float


def ask(decoded: Any, level: float) -> AskedInterval:
    """A decoded body together with the level of its query.

    Raises:
        InvalidInstances: the body has one as well.
    """
    if isinstance(decoded, AskedInterval):
        raise invalid("is in the body and in the query; it is taken from one of them", f"/{FIELD}")
    return AskedInterval(decoded, level)


def in_document(document: Any) -> Any:
    """A document of rows or columns without its `interval`, which an `AskedInterval` has then.

    Raises:
        InvalidInstances: it is no level.
    """
    if type(document) is not dict or FIELD not in document or not ("instances" in document or "inputs" in document):
        return document
    level = check_level(document[FIELD])
    return AskedInterval({name: value for name, value in document.items() if name != FIELD}, level)


def check_level(given: object) -> float:
    """The level.

    Raises:
        InvalidInstances: it is none.
    """
    if type(given) is not float or not 0.5 < given < 1:
        raise invalid("expected a number between 0.5 and 1, such as 0.9", f"/{FIELD}")
    return given


def level_of_text(text: str) -> float:
    """The level in a query. Raises InvalidInstances as `check_level`."""
    try:
        return check_level(float(text) if "_" not in text else None)
    except ValueError:
        return check_level(None)


def check_intervals(warm: Warm, level: float) -> None:
    """Checks that the model has intervals of this level.

    Raises:
        NoIntervals: it has none, for a reason that is said.
    """
    if warm.conformal is not None:
        warm.conformal.quantiles(level)
    elif warm.signature.task is Task.MULTILABEL:
        raise NoIntervals("a model of several labels has neither intervals nor sets; leave out `interval`")
    else:
        raise NoIntervals(f"this version has neither intervals nor sets, for it has no calibration scores; {HOW}")
