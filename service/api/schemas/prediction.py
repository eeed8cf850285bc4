"""The schemas of predictions for OpenAPI; `service/api/predictions` writes them."""

from typing import Any

from typing_extensions import TypedDict

from service.api.schemas.answer import closed

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
    },
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
}


@closed
class Predictions(TypedDict):
    """One prediction for each instance."""

    model_name: str
    model_version: int
    predictions: list[Any]
