"""Feedback on predictions, and the metrics that are made from it."""

from typing import Any

from typing_extensions import TypedDict

from service.api.schemas.answer import closed
from service.use_cases.feedback import MOST_ROW

FEEDBACK_EXAMPLE = {"request_id": "3f0c9a7be51d4286", "row": 0, "truth": 1.5}
_ONE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "request_id": {"type": "string", "minLength": 1, "maxLength": 128},
        "row": {"type": "integer", "minimum": 0, "exclusiveMaximum": MOST_ROW, "default": 0},
        "truth": {},
    },
    "required": ["request_id", "truth"],
    "additionalProperties": False,
}
_MANY: dict[str, Any] = {
    "type": "object",
    "properties": {"feedback": {"type": "array", "minItems": 1, "maxItems": 1000, "items": _ONE}},
    "required": ["feedback"],
    "additionalProperties": False,
}
FEEDBACK_SCHEMA = {"oneOf": [_ONE, _MANY]}


@closed
class FeedbackTaken(TypedDict):
    """How many truths were kept, and of how many predictions of each version, by its number."""

    kept: int
    versions: dict[str, int]


@closed
class LiveMetrics(TypedDict):
    """The metrics of a version on predictions `since` then whose truth is known, `live`, beside those of its test part. `rows` of
    them have a truth; `live` is null where they are fewer than `needed`. `without_answer` are more whose answer was not finite.
    If not `complete`, only the newest are counted."""

    name: str
    version: int
    hours: float
    since: str
    rows: int
    without_answer: int
    complete: bool
    enough: bool
    needed: int
    live: dict[str, float | None] | None
    test: dict[str, float | None] | None
