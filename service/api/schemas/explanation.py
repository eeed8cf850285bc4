"""The schemas of explanations."""

from typing import Any, Literal

from typing_extensions import TypedDict

from service.api.schemas.answer import closed
from service.api.schemas.bodies import json_body
from service.api.schemas.prediction import INSTANCES_EXAMPLE, INSTANCES_SCHEMA

CHOICE = "explains the probability of this class, in place of the predicted one"
TARGET = "explains only this one of several targets or labels"


def explanation_body() -> dict[str, Any]:
    """The body of a request for explanations, for `openapi_extra`."""
    properties = INSTANCES_SCHEMA["properties"]
    schema = {
        "type": "object",
        "properties": {
            "instances": {**properties["instances"], "maxItems": 100},
            "inputs": properties["inputs"],
            "class": {"description": CHOICE},
            "target": {"type": "string", "description": TARGET},
        },
        "additionalProperties": False,
        "oneOf": [{"required": ["instances"]}, {"required": ["inputs"]}],
    }
    return json_body(schema, INSTANCES_EXAMPLE)


@closed
class Baseline(TypedDict):
    """The row that answers are compared with, and the model's answer to it: the mean of each number and time of the training
    part, and the most frequent one of other values. An input is null where none is recorded, or its values have a shape."""

    instance: dict[str, Any]
    prediction: Any


@closed
class Explanations(TypedDict):
    """What each input adds to an answer. Each of `attributions` has a number for each input by name, whose sum is the explained
    answer less that of the baseline; null if an answer is no finite number. `explained` is the class of each instance whose
    probability that is, or the target; of several targets or labels it lists the names, and the attributions are by target first.
    """

    model_name: str
    model_version: int
    method: Literal["integrated_gradients", "sampling_shapley"]
    explained: list[Any]
    attributions: list[dict[str, Any]]
    predictions: list[Any]
    baseline: Baseline
