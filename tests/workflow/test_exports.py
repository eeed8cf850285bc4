"""Exports predict what the model predicts, for every kind of model, type of column and task: a sample of their pairs by
default, and all of them with EXPORTS=all, as in scripts/nightly."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from service.workflow.data.table import Numbers, Table, Texts
from service.workflow.data.types.datetime import FIRST, LAST, Datetime
from service.workflow.errors import ExportFailed
from service.workflow.exports import EXPORTS, Answers, Predict
from service.workflow.exports.check import check
from tests.workflow.exporting import (
    COLUMNS,
    KINDS,
    TARGETS,
    Exported,
    agree,
    by_onnx_runtime,
    by_torch,
    exported,
    may_learn,
    paths_in,
    table,
)

WRITTEN = ("torch_export", "onnx")
SAMPLE = [
    ("linear_regression", "number", "several targets"),
    ("logistic_regression", "boolean", "multilabel"),
    ("mlp", "category", "binary"),
    ("layers", "datetime", "regression"),
]  # the documentation's test has tabm with all types, for classes
ALL = [each for each in product(KINDS, COLUMNS, TARGETS) if may_learn(each[0], each[2])]
EVERY = os.environ.get("EXPORTS") == "all"
MODELS = ALL if EVERY else SAMPLE
COUNTS = (0, 1, 3, 20_000) if EVERY else (0, 1, 3)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")  # of torch about itself
@pytest.mark.parametrize(("kind", "columns", "task"), MODELS)
def test_exports_predict_what_the_model_predicts(kind: str, columns: str, task: str, tmp_path: Path) -> None:
    made = exported(tmp_path, kind, columns, task, WRITTEN)
    rows = [{name: row[name] for name in COLUMNS[columns]} for row in table()]
    blank = dict.fromkeys(rows[0]) | ({"garden": True} if "garden" in rows[0] else {})  # never missing in training
    edges = [blank, rows[0] | {name: "unheard of" for name in ("colour", "zone") if name in rows[0]}]
    rows = (edges if made.source.model.fills_missing else edges[1:]) + rows
    many = rows * (max(COUNTS) // len(rows) + 1)
    usual = made.own_predictions(rows)
    for count in COUNTS:
        own = made.own_predictions(many[:count])
        assert agree(by_onnx_runtime(made.files["onnx"], many[:count]), own, usual), count
        assert agree(by_torch(made.files["torch_export"], many[:count]), own, usual), count
    for name, path in made.files.items():
        check(made.source, EXPORTS[name].predict(made.source, path), made.points)
        assert paths_in(path) == []


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A small classifier, whose state_dict is exported."""
    return exported(tmp_path_factory.mktemp("houses"), "mlp", "all", "multiclass", ["state_dict"])


def predict(houses: Exported, change: Callable[[Table, Answers], Answers]) -> Predict:
    """Predictions of its export, changed."""
    right = EXPORTS["state_dict"].predict(houses.source, houses.files["state_dict"])
    return lambda rows: change(rows, right(rows))


def with_labels(answers: Answers) -> Answers:
    """The answers with the labels of the largest probabilities."""
    classes = ["blue house", "green house", "red house"]
    return replace(answers, labels=[classes[at] for at in answers.values.argmax(axis=1)])


def other_label(answers: Answers) -> Answers:
    """The answers with another label in the first row."""
    labels = with_labels(answers).labels or [""]
    return replace(answers, labels=["red house" if labels[0] != "red house" else "blue house", *labels[1:]])


def numbers(rows: Table, name: str) -> Numbers:
    """A column of numbers."""
    column = rows.columns[name]
    assert isinstance(column, np.ndarray)
    return column


def texts(rows: Table, name: str) -> Sequence[str]:
    """The distinct texts of a column."""
    column = rows.columns[name]
    assert isinstance(column, Texts)
    return column.values


WRONG: dict[str, Callable[[Table, Answers], Answers]] = {
    "instead of": lambda rows, right: Answers(right.values + 2e-5),
    "shape": lambda rows, right: Answers(right.values[:, :2]),
    "not finite": lambda rows, right: Answers(np.where(right.values > 0, np.nan, right.values)),
    "the label": lambda rows, right: other_label(right) if len(rows) else with_labels(right),
    "labels for": lambda rows, right: replace(right, labels=["red house"]),
    "one row": lambda rows, right: Answers(right.values + (len(rows) == 1)),
    "no row": lambda rows, right: Answers(right.values if len(rows) else np.zeros((1, 3))),
    "a missing value": lambda rows, right: Answers(right.values + np.isnan(numbers(rows, "size"))[:, None] * 1e-3),
    "an unknown category": lambda rows, right: Answers(right.values + 1e-3 * ("unknown" in texts(rows, "zone"))),
    "far away": lambda rows, right: Answers(right.values + 1e-3 * (np.abs(numbers(rows, "size")) > 1e5)[:, None]),
}


@pytest.mark.parametrize("where", WRONG)
def test_the_check_refuses_a_file_that_predicts_otherwise(houses: Exported, where: str) -> None:
    with pytest.raises(ExportFailed, match=where):
        check(houses.source, predict(houses, WRONG[where]), houses.points)


def test_the_check_accepts_what_is_within_the_tolerance(houses: Exported) -> None:
    nearly = predict(houses, lambda rows, right: with_labels(Answers(right.values * (1 + 5e-6))))
    check(houses.source, nearly, houses.points)
    check(houses.source, nearly, None)  # rows are drawn where there are no points


def test_a_file_that_cannot_answer_is_refused_with_the_reason(houses: Exported) -> None:
    def refuse(rows: Table, right: Answers) -> Answers:
        raise RuntimeError("no kernel\nand a long explanation")

    with pytest.raises(ExportFailed, match=r"does not answer to rows of its data: no kernel$"):
        check(houses.source, predict(houses, refuse), houses.points)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_words_for_a_missing_value_mean_the_same_in_exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = exported(tmp_path, "linear_regression", "number", "regression", [])
    words = [each.model_copy(update={"missing": ["-999.9", "-1"]}) for each in made.source.signature.inputs]
    signature = made.source.signature.model_copy(update={"inputs": words})
    source = replace(made.source, signature=signature)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # so that the reference evaluator of onnx checks it
    table = {"size": np.array([-999.9, 0.5, -1, -2]), "age": np.array([1.0, -999.9, np.nan, 0.1])}
    meant = {"size": np.array([np.nan, 0.5, np.nan, -2]), "age": np.array([1.0, np.nan, np.nan, 0.1])}
    raw = torch.from_numpy(np.stack([*meant.values()], axis=1).astype(np.float32))
    with torch.inference_mode():
        own = made.source.model(raw).numpy()
    for name in WRITTEN:
        path = tmp_path / name
        write = EXPORTS[name].write
        assert write is not None
        write(source, path)
        assert np.allclose(EXPORTS[name].predict(source, path)(Table(table)).values, own, atol=1e-6), name


@given(st.lists(st.floats(FIRST, LAST - 1), min_size=1, max_size=5))
def test_a_date_is_encoded_by_torch_as_by_numpy(seconds: list[float]) -> None:
    column = np.array([*seconds, np.nan])
    encoded = np.stack(Datetime().encode(column, None), axis=1)
    by_torch = torch.cat(Datetime().encode_tensors(torch.from_numpy(column)[:, None]), dim=1).numpy()
    assert np.allclose(encoded, by_torch, rtol=0, atol=1e-9, equal_nan=True)
