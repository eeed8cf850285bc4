"""Predictions as JSON: non-finite numbers are null."""

from typing import Any

import numpy as np
import orjson
import pytest
import torch
from torch import nn

from service.serving.codecs.json import predictions
from service.serving.warm_models import Warm
from service.workflow.losses import OutputKind
from service.workflow.model import Model
from service.workflow.signature import Input, Output, Signature
from service.workflow.tasks import Task

NAN, INF = float("nan"), float("inf")


class Constant(nn.Module):
    """Returns the same rows for every input."""

    def __init__(self, rows: list[list[float]]) -> None:
        super().__init__()
        self.rows = torch.tensor(rows)

    def forward(self, raw: torch.Tensor) -> torch.Tensor:
        return self.rows


def predictions_of(rows: list[list[float]], task: str, classes: list[Any] | None = None) -> Any:
    numbers = [Output(name=f"y{i}", type="number") for i in range(len(rows[0]))]
    outputs = [Output(name="y", type="class", classes=classes)] if classes else numbers
    signature = Signature(task=Task(task), inputs=[Input(name="x", type="number")], outputs=outputs)
    model = Model(Constant(rows), None, None, OutputKind.VALUE, Task(task))
    given = predictions(Warm(model, signature), torch.zeros(len(rows), 1))
    return orjson.loads(orjson.dumps(given, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[0.5]], [0.5]),
        ([[0.5], [NAN], [INF], [-INF]], [0.5, None, None, None]),
        ([[1.0, 2.0], [3.0, 4.0]], [[1, 2], [3, 4]]),
        ([[1.0, NAN], [INF, 4.0]], [[1, None], [None, 4]]),
    ],
)
def test_numbers(rows: list[list[float]], expected: Any) -> None:
    assert predictions_of(rows, "regression") == expected


def test_float32_values_round_trip_exactly() -> None:
    values = np.nextafter(np.float32(0.1), np.float32(1), dtype=np.float32)
    assert np.float32(predictions_of([[float(values)]], "regression")[0]) == values


@pytest.mark.parametrize(
    ("classes", "texts"),
    [(["a", "b"], ["a", "b"]), ([False, True], ["false", "true"]), ([0, 2], ["0", "2"]), ([0.5, 1], ["0.5", "1"])],
)
def test_labels_are_those_of_the_data(classes: list[Any], texts: list[str]) -> None:
    first, second = predictions_of([[0.75, 0.25], [0.25, 0.75]], "binary", classes)
    assert first == {"label": classes[0], "probabilities": dict(zip(texts, [0.75, 0.25], strict=True))}
    assert second["label"] == classes[1]


def test_an_unknown_label_is_null() -> None:
    answer = predictions_of([[NAN, NAN]], "binary", ["a", "b"])
    assert answer == [{"label": None, "probabilities": {"a": None, "b": None}}]


def test_several_labels() -> None:
    one, none, unknown = predictions_of([[0.75, 0.5], [0.25, 0.1], [0.9, NAN]], "multilabel")
    assert one == {"labels": ["y0"], "probabilities": {"y0": 0.75, "y1": 0.5}}
    assert none["labels"] == []
    assert unknown["labels"] == ["y0"] and unknown["probabilities"]["y1"] is None
