"""Numbers that are small, large or far from zero: the scale of a table does not change the result of a training.

A few points of a grid by default, and all of them with SCALES=all, as in scripts/nightly.
"""

import functools
import itertools
import math
import os
import random
from pathlib import Path
from typing import Any

import orjson
import pytest
import torch

from service.serving.codecs.json import values
from service.serving.forward import forward
from service.serving.warm_models import Warm
from service.workflow.data.precision import needs_float64
from service.workflow.data.schema import Column
from service.workflow.data.table import Numbers
from service.workflow.encode import raw_features
from service.workflow.errors import InvalidData
from service.workflow.learn import predict
from service.workflow.save_and_load import load, save
from tests.workflow.learning import Trained, train

ROWS = 160
MLP = {
    "model": {"kind": "mlp", "hidden": [16]},
    "preprocessing": {"normalize": True},
    "optimizer": {"name": "Adam", "lr": 0.02},
    "training": {"epochs": 20, "batch_size": 32, "early_stopping": None},
}
DEFAULT = {"training": {"epochs": 10}}  # a spec without a model
SPECS: dict[str, dict[str, Any]] = {"mlp": MLP, "default": DEFAULT}
# Factors as powers of ten, and offsets in standard deviations.
FEW = [(-30, 0.0), (-30, 1e9), (-12, 1e6), (0, 1e4), (0, 1e9), (12, 1e3), (30, 0.0), (30, 1e9)]
GRID = [(power, away) for power in range(-30, 31) for away in (0.0, *(10.0**each for each in range(10)))]
POINTS = GRID if os.environ.get("SCALES") == "all" else FEW


@functools.cache
def rows() -> list[tuple[float, float, float]]:
    draw = random.Random(3)  # noqa: S311 - test data
    drawn = [(draw.gauss(0, 1), draw.gauss(0, 1)) for _ in range(ROWS)]
    return [(x, z, math.sin(1.5 * x) + 0.5 * z) for x, z in drawn]


def spec(of: str, features: tuple[float, float] = (1, 0), target: tuple[float, float] = (1, 0)) -> dict[str, Any]:
    """A regression on the rows, with each number multiplied by the factor, plus the offset."""
    (times, plus), (by, beside) = features, target
    records = [{"x": x * times + plus, "z": z * times + plus, "y": y * by + beside} for x, z, y in rows()]
    data = {"kind": "rows", "records": records, "target": "y", "task": "regression"}
    return {"model_name": "m", "data": data} | SPECS[of]


def r2(trained: Trained) -> float:
    found = trained.learned.evaluation.metrics["test"]["r2"]
    assert found is not None
    return found


@functools.cache
def usual(of: str) -> float:
    found = r2(train(spec(of)))
    assert found > 0.5, "nothing is learned that a scale could spoil"
    return found


@pytest.mark.parametrize(("power", "away"), POINTS)
@pytest.mark.parametrize("of", SPECS)
def test_the_scale_of_a_table_does_not_change_the_result(of: str, power: int, away: float) -> None:
    scale = (10.0**power, 10.0**power * away)
    assert r2(train(spec(of, scale, scale))) == pytest.approx(usual(of), abs=0.01)


CASES = {
    "features of 1e-12": ((1e-12, 0.0), (1.0, 0.0)),
    "unix seconds of one minute": ((15.0, 1.7e9), (1.0, 0.0)),
    "features of 1e8 ± 1": ((1.0, 1e8), (1.0, 0.0)),
    "features past float32": ((1e39, 0.0), (1.0, 0.0)),
    "features whose squares are past float64": ((1e200, 0.0), (1.0, 0.0)),
    "targets of 1e-12": ((1.0, 0.0), (1e-12, 0.0)),
    "targets of 1e8 ± 1": ((1.0, 0.0), (1.0, 1e8)),
    "milliseconds since 1970": ((1.0, 0.0), (3e4, 1.7e12)),
    "targets whose squares are past float64": ((1.0, 0.0), (1e200, 0.0)),
}


@pytest.mark.parametrize("case", CASES)
def test_typical_tables_of_large_or_distant_numbers(case: str) -> None:
    trained = train(spec("mlp", *CASES[case]))
    assert r2(trained) == pytest.approx(usual("mlp"), abs=0.01)
    baseline = trained.learned.evaluation.metrics["baseline"]["r2"]
    assert baseline is not None and -0.1 < baseline <= 0


def raw_of(trained: Trained, records: list[dict[str, Any]]) -> torch.Tensor:
    """The raw features of records, as in a request."""
    signature = trained.learned.signature
    columns: dict[str, Numbers] = {
        each.name: torch.tensor([record[each.name] for record in records], dtype=torch.float64).numpy()
        for each in signature.inputs
    }
    return raw_features(signature.inputs, columns)


@pytest.mark.parametrize("of", SPECS)
@pytest.mark.parametrize("case", CASES)
def test_predictions_equal_those_of_the_training(tmp_path: Path, of: str, case: str) -> None:
    value = spec(of, *CASES[case])
    value["training"] = value["training"] | {"epochs": 2}
    trained = train(value)
    signature = trained.learned.signature
    save(trained.learned.model, tmp_path / "state_dict.safetensors")
    model = load(trained.resolved.spec, signature, tmp_path / "state_dict.safetensors")
    warm, raw = Warm(model, signature), raw_of(trained, value["data"]["records"])
    expected = predict(trained.learned.model, raw).numpy()
    assert raw.numpy().dtype == warm.raw_dtype and expected.dtype == warm.answers_dtype
    for whole in (False, True):
        answers = forward(warm, raw, complete=whole)
        assert answers.dtype == expected.dtype and (answers == expected).all()
    first, chosen = trained.learned.points.prediction[0], trained.learned.split.train[0]
    assert first == expected[chosen, 0].item(), "the plots show other predictions"
    written = orjson.loads(orjson.dumps(values(warm, answers), option=orjson.OPT_SERIALIZE_NUMPY))
    assert written == [answer if answers.dtype == "float64" else pytest.approx(answer) for answer in answers[:, 0]]


def test_a_missing_value_is_filled_in_at_any_scale() -> None:
    value = spec("mlp", (1.0, 1e9))
    for record in value["data"]["records"][::7]:
        record["x"] = None
    trained = train(value)
    assert [each.dtype for each in trained.learned.signature.inputs] == ["float64", "float64"]
    assert r2(trained) > 0.5
    raw = raw_of(trained, [{"x": math.nan, "z": 1e9}])
    assert forward(Warm(trained.learned.model, trained.learned.signature), raw)[0, 0] == pytest.approx(0, abs=1)


def test_one_float64_feature_makes_all_inputs_float64() -> None:
    value = spec("mlp")
    colours = itertools.cycle(["red", "green", "blue"])
    for record, colour in zip(value["data"]["records"], colours, strict=False):
        record |= {"x": record["x"] + 1e9, "colour": colour, "large": record["z"] > 0}
    trained = train(value)
    inputs = {each.name: each.dtype for each in trained.learned.signature.inputs}
    assert inputs == {"x": "float64", "z": None, "colour": None, "large": None}
    assert r2(trained) > 0.5
    tensors = trained.learned.model.tensors()
    kept = {name: tensor.dtype for name, tensor in tensors.items() if tensor.dtype is not torch.float32}
    assert kept == {
        "preprocessing.fill": torch.float64,
        "preprocessing.mean": torch.float64,
        "preprocessing.std": torch.float64,
        "preprocessing.indicated": torch.int64,
    }


def test_columns_that_fit_float32_stay_float32() -> None:
    trained = train(spec("mlp", (1.0, 1e3), (1.0, 1e3)))
    assert {tensor.dtype for tensor in trained.learned.model.tensors().values()} == {torch.float32, torch.int64}
    told_of = trained.learned.signature.model_dump_json(exclude_none=True)
    assert "dtype" not in told_of and "float" not in told_of


@pytest.mark.parametrize("wrong", ["x", "y"])
def test_an_unscaled_number_beyond_float32_is_refused_with_its_column(wrong: str) -> None:
    value = spec("mlp") | {"preprocessing": {"normalize": False}}
    for record in value["data"]["records"]:
        record[wrong] *= 1e39
    with pytest.raises(InvalidData, match=f"the column '{wrong}' holds a number .*`normalize`"):
        train(value)


@pytest.mark.parametrize(
    ("expected", "statistics"),
    [
        (False, {}),
        (False, {"min": 0.0, "max": 1.0, "mean": 0.5, "std": 0.3}),
        (False, {"min": -1e-12, "max": 1e-12, "mean": 0.0, "std": 5e-13}),
        (False, {"min": 1950, "max": 2020, "mean": 1990.0, "std": 20.0}),
        (False, {"min": 5.1, "max": 5.1, "mean": 5.1, "std": 1e-16}),
        (False, {"min": 1e8, "max": 1e8, "mean": 1e8, "std": 0.0}),
        (False, {"min": 1.6e9, "max": 1.7e9, "mean": 1.65e9, "std": 3e7}),
        (True, {"min": 1.7e9, "max": 1.7e9 + 60, "mean": 1.7e9 + 30, "std": 17.0}),
        (True, {"min": 1.7e9, "max": 1.7e9 + 60}),
        (True, {"min": -1e8 - 1, "max": -1e8 + 1, "mean": -1e8, "std": 1.0}),
        (True, {"min": 0.0, "max": 1e39, "mean": 1e38, "std": 1e38}),
        (True, {"min": 1e39, "max": 1e39, "mean": 1e39, "std": 0.0}),
        (True, {"min": -1e200, "max": 1e200, "mean": 0.0, "std": None}),
        (True, {"min": 0.0, "max": 1e-40, "mean": 5e-41, "std": 3e-41}),
        (True, {"min": 0.0, "max": 1e-200, "mean": 5e-201, "std": 0.0}),
    ],
)
def test_a_column_is_float64_where_float32_would_lose_its_precision(expected: bool, statistics: dict[str, Any]) -> None:
    assert needs_float64(Column(name="x", type="number", statistics=statistics)) is expected
