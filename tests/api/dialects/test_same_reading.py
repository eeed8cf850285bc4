"""Large bodies, which have a reader of their own, are accepted, refused and converted exactly as small ones."""

import json
from typing import Any, cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from service.api.dialects.open_inference import OPEN_INFERENCE
from service.api.dialects.sagemaker import SAGEMAKER
from service.api.dialects.tensorflow_serving import TENSORFLOW_SERVING
from service.api.predictions.dialect import Dialect
from service.serving.codecs.fast_json import LEAST_FAST_BYTES
from service.serving.warm_models import Warm
from service.strict_json import NotStrictJson, TooManyBrackets
from service.workflow.errors import WorkflowError
from service.workflow.model import Model
from service.workflow.signature import Input, Output, Signature
from service.workflow.tasks import Task


class _Fills:
    """The part of a model that reading a request uses."""

    def __init__(self, fills_missing: bool) -> None:
        self.fills_missing = fills_missing


def warm(*kinds: Any, fills: bool = False) -> Warm:
    inputs = [Input(name=name, type=kind, categories=["k"]) for name, kind in zip("xz", kinds, strict=False)]
    signature = Signature(task=Task("regression"), inputs=inputs, outputs=[Output(name="y", type="number")])
    return Warm(cast(Model, _Fills(fills)), signature)


MODELS = [
    warm("number", "number"),
    warm("number", "boolean"),
    warm("number", "category"),
    warm("number"),
    warm("number", "number", fills=True),
    warm("number", "category", fills=True),
    warm("category", "datetime", fills=True),
]


def matrix(data: Any, shape: list[int], **more: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "input-0", "shape": shape, "datatype": "FP32", "data": data} | more]}


def column(name: str, datatype: str, data: list[Any]) -> dict[str, Any]:
    return {"name": name, "shape": [len(data)], "datatype": datatype, "data": data}


RAGGED: list[Any] = [[1, 2], [3], [4, 5, 6]]  # the numbers of three rows
ROWS = [[1, 0.5], [-0.0, 1e-400], [3, 1]]
MIXED: list[Any] = [[1.5, "k"], [None, "l"], [-2, None], [3, " k"]]
BODIES: list[tuple[Dialect, str]] = [
    *(
        (OPEN_INFERENCE, json.dumps(each))
        for each in (
            matrix([1, 2.5, 3, 9007199254740993], [2, 2]),
            matrix(RAGGED, [3, 2]),
            matrix([[1, [0]], [3, 1]], [2, 2]),
            matrix(ROWS, [3, 2]),
            matrix([[1], [2]], [2, 1]),
            matrix([1, 2], [2]),
            matrix([1, 2], [2, 1], parameters={"data": [1]}),
            matrix([1, 0], [1, 2], datatype="FP64"),
            {"id": "\\", **matrix([1, 2], [1, 2])},
            {"inputs": [column("x", "FP32", [1, 2]), column("z", "BYTES", ["k", "l"])]},
            {"inputs": [column("x", "FP32", [1, None]), {**column("z", "BYTES", [["k"], [None]]), "shape": [2, 1]}]},
            {"inputs": [column("x", "FP32", [1, "k"]), column("z", "BYTES", ["k", 1])]},
            {"inputs": [column("x", "INT64", [1, None]), column("z", "BYTES", ["k}", "]"])]},
            {"inputs": [column("x", "BYTES", ["k", "m"]), column("z", "BYTES", ["2020-01-01", "never"])]},
            matrix(MIXED, [4, 2], datatype="BYTES"),
            matrix([[1, None], [None, 2]], [2, 2]),
            matrix([1, None, 2], [2, 2]),
            {"inputs": [column("z", "BOOL", [True, False]), column("x", "INT64", [1, 2])]},
            {"inputs": [column("x", "FP64", [1, None]), column("z", "FP32", [1, 0])], "parameters": {}},
            {
                "inputs": [
                    {**column("x", "FP32", [1]), "data": "a list of numbers", "more": {"data": [1]}},
                    column("z", "FP32", [1]),
                ]
            },
        )
    ),
    *(
        (TENSORFLOW_SERVING, json.dumps(each))
        for each in (
            {"instances": ROWS},
            {"signature_name": "serving_default", "instances": ROWS},
            {"instances": MIXED},
            {"signature_name": "serving_default", "instances": MIXED},
            {"inputs": {"z": ["k", None], "x": [1, 2]}},
            {"inputs": {"z": ["k", 1], "x": [1, "k"]}},
            {"instances": ["k", None]},
            {"instances": [[[1], [2]]]},
            {"inputs": {"x": [1, 2], "z": [0, 1]}},
            {"inputs": {"x": [[1], [2]], "z": [0, 1]}},
            {"inputs": ROWS},
            {"more": 1, "instances": ROWS},
            {"instances": [{"x": 1, "z": 0}]},
            {"signature_name": "other", "instances": ROWS},
            {"instances": [1, 2]},
            {"x": 1, "inputs": ROWS},
            {"instances": [{"b64": "aw=="}]},
            {"instances": {"x": 1, "z": 1}},
        )
    ),
    *(
        (SAGEMAKER, json.dumps(each))
        for each in (
            {"dataframe_split": {"columns": ["x", "z"], "data": ROWS}},
            {"dataframe_split": {"columns": ["x", "z"], "data": RAGGED}},
            {"dataframe_split": {"columns": ["x", "z"], "data": MIXED}},
            {
                "dataframe_split": {
                    "columns": ["z", "y", "x"],
                    "data": [["k", 2, 3], ["m", "a", None], ["", None, 1e39]],
                }
            },
            {"dataframe_split": {"columns": ["x", "y"], "data": [[1, "k"], [2, "]"]]}},
            {"signature_name": "serving_default", "instances": RAGGED},
            {"dataframe_split": {"columns": ["z", "y", "x"], "data": [[1, 2, 3]]}},
            {"dataframe_split": {"index": [0, 1, 2], "columns": ["z", "x"], "data": ROWS}, "params": {}},
            {"dataframe_split": {"data": ROWS}},
            {"dataframe_split": {"columns": ["x", "x"], "data": ROWS}},
            {"dataframe_split": {"columns": ["x", "w"], "data": ROWS}},
            {"dataframe_split": {"columns": ["x"], "data": [1, 2]}},
            {"dataframe_split": {"columns": [], "data": [[1]]}},
            {"dataframe_split": {"columns": [], "data": [1, 2]}},
            {"dataframe_split": {"columns": ["x", "z"], "data": "a list of numbers"}, "data": ROWS},
            {"dataframe_records": [{"x": 1, "z": 0}]},
            {"instances": ROWS},
            {"inputs": {"x": [1], "z": [1]}},
            {"dataframe_split": {"columns": ["x", "z"], "data": [[1, None]]}},
        )
    ),
]

PIECES = [
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    '"',
    '"data"',
    '"k"',
    '"x"',
    '"instances":[1]',
    "1",
    "-0",
    "2.5",
    "1e400",
    "true",
    "null",
    " ",
    "\\",
    "NaN",
]


def read(dialect: Dialect, warm: Warm, body: bytes) -> torch.Tensor | str:
    """The tensor, or the error."""
    reader = dialect.decoder({b"content-type": b"application/json"})
    try:
        rows = reader.read(warm, reader.decode(body))
    except (NotStrictJson, TooManyBrackets, WorkflowError) as error:
        return type(error).__name__
    return rows if isinstance(rows, torch.Tensor) else torch.tensor(rows, dtype=torch.float32)


def same(dialect: Dialect, body: bytes) -> int:
    """The number of models that accept it, the same for large and small."""
    assert len(body) < LEAST_FAST_BYTES
    taken = 0
    for model in MODELS:
        small, large = read(dialect, model, body), read(dialect, model, body + b" " * LEAST_FAST_BYTES)
        if isinstance(small, str) or isinstance(large, str):
            assert small == large, (body, small, large)
        else:
            assert small.shape == large.shape
            assert small.numpy().tobytes() == large.numpy().tobytes(), body
            taken += 1
    return taken


@pytest.mark.parametrize(("dialect", "body"), BODIES, ids=lambda each: each[:80] if isinstance(each, str) else "")
def test_large_and_small_bodies_are_read_alike(dialect: Dialect, body: str) -> None:
    same(dialect, body.encode())


def test_some_bodies_are_valid() -> None:
    assert sum(same(dialect, body.encode()) > 0 for dialect, body in BODIES) > len(BODIES) / 2


@settings(deadline=None, max_examples=400)
@given(st.data())
def test_a_changed_body_is_read_alike(data: st.DataObject) -> None:
    dialect, body = data.draw(st.sampled_from(BODIES))
    at = data.draw(st.integers(0, len(body)))
    until = data.draw(st.integers(at, min(at + 4, len(body))))
    damaged = body[:at] + "".join(data.draw(st.lists(st.sampled_from(PIECES), max_size=3))) + body[until:]
    same(dialect, damaged.encode())
