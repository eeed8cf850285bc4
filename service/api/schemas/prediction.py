"""The schemas of predictions for OpenAPI; `service/api/predictions` writes them."""

from typing import Any

from typing_extensions import TypedDict

from service.api.schemas.answer import closed
from service.api.schemas.bodies import FORM, exactly_one, json_body

INSTANCES_EXAMPLE = {"instances": [[0.5], [0.9]]}
INSTANCES_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "instances": {
            "type": "array",
            "minItems": 1,
            "description": "rows: lists in the order of the inputs, or objects",
        },
        "inputs": {"type": "object", "description": "columns by name"},
        "interval": {
            "type": "number",
            "exclusiveMinimum": 0.5,
            "exclusiveMaximum": 1,
            "description": "the probability of the truth to be in the interval or the set that each prediction then has",
        },
    },
    "oneOf": exactly_one("instances", "inputs"),
    "additionalProperties": False,
}

OF_ONE_VALUE = {
    **dict.fromkeys(("image/png", "image/jpeg", "image/webp", "image/gif"), "(the bytes of an image)"),
    "video/*": "(the bytes of a video)",
    "text/plain": "a text",
}


def rows_body() -> dict[str, Any]:
    """The body of a prediction, for `openapi_extra`: rows as JSON or as a form, or one value of a model with one such input."""
    found = json_body(INSTANCES_SCHEMA, INSTANCES_EXAMPLE)
    content = found["requestBody"]["content"]
    values = {"type": "object", "description": "a part for each value, by the name of its input", "minProperties": 1}
    content[FORM] = {"schema": values, "example": {"x": "0.5"}}
    for media_type, example in OF_ONE_VALUE.items():
        content[media_type] = {"schema": {"type": "string", "format": "binary"}, "example": example}
    return found


@closed
class Predictions(TypedDict):
    """One prediction for each instance. With an `interval` in the request it is `{prediction, interval}`, or
    `{label, probabilities, set}`."""

    model_name: str
    model_version: int
    predictions: list[Any]
