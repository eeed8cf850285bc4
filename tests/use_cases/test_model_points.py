"""Points of an imported model whose curves cannot be true."""

from typing import Any

import pytest

from service.use_cases.model_points import check_points
from service.workflow.look.points import Points
from service.workflow.signature import Signature

TRUE = {"position": 1, "true_positives": [0, 2, 2, 4], "false_positives": [0, 0, 3, 6], "roc_area": 0.75}
SIGNATURE = {
    "task": "multiclass",
    "inputs": [{"name": "x", "type": "number"}],
    "outputs": [{"name": "y", "type": "class", "classes": ["a", "b", "c"]}],
}


def check(*curves: dict[str, Any]) -> None:
    """Checks points that have these curves."""
    rows = {"features": {"x": []}, "part": [], "truth": [], "prediction": [], "probability": []}
    given = {"part": "test", "curves": [{"average_precision": 0.5, **each} for each in curves]}
    check_points(Points.model_validate({**rows, "curves": given}), Signature.model_validate(SIGNATURE))


def test_true_curves_are_accepted() -> None:
    check(TRUE, {**TRUE, "position": 2, "roc_area": 0.5})
    check()


@pytest.mark.parametrize(
    ("field", "value", "at"),
    [
        ("roc_area", 0.49, "/curves/curves/0/roc_area: expected an area from 0.500000 to 0.750000"),
        ("roc_area", 0.76, "/curves/curves/0/roc_area: "),
        ("true_positives", [0, 2, 1, 4], "/curves/curves/0/true_positives: "),
        ("true_positives", [1, 2, 2, 4], "/curves/curves/0/true_positives: "),
        ("true_positives", [0, 0, 0, 0], "/curves/curves/0/true_positives: "),
        ("true_positives", [], "/curves/curves/0/true_positives: "),
        ("false_positives", [0, 6], "/curves/curves/0/false_positives: "),
        ("false_positives", [0] * 200 + [6], "/curves/curves/0/false_positives: "),
        ("position", 3, "/curves/curves: "),
    ],
)
def test_a_lie_is_refused_with_its_place(field: str, value: Any, at: str) -> None:
    with pytest.raises(ValueError, match=at):
        check({**TRUE, field: value})


def test_curves_of_one_part_have_the_same_rows_and_different_classes() -> None:
    other = {**TRUE, "position": 2, "false_positives": [0, 0, 3, 7]}
    with pytest.raises(ValueError, match="the same number of rows"):
        check(TRUE, other)
    with pytest.raises(ValueError, match="/curves/curves: "):
        check(TRUE, TRUE)


DEPENDENCE: dict[str, Any] = {
    "part": "test",
    "rows": 4,
    "answers": [0, 2],
    "inputs": [{"input": "x", "values": [1.0, 2.0], "means": [[0.5, None], [0.25, 0.5]]}],
}


def check_dependence(**changed: Any) -> None:
    """Checks points that have this partial dependence."""
    rows = {"features": {"x": []}, "part": [], "truth": [], "prediction": [], "probability": []}
    points = Points.model_validate({**rows, "dependence": {**DEPENDENCE, **changed}})
    check_points(points, Signature.model_validate(SIGNATURE))


@pytest.mark.parametrize(
    ("changed", "at"),
    [
        ({"answers": [0, 3]}, "/dependence/answers: expected different positions below 3"),
        ({"answers": [1, 1]}, "/dependence/answers: "),
        ({"answers": [1]}, "/dependence/inputs/0/means: expected 1 lists of 2 numbers"),
        ({"inputs": [{**DEPENDENCE["inputs"][0], "values": [1.0, 2.0, 3.0]}]}, "/dependence/inputs/0/means: "),
        ({"inputs": [{**DEPENDENCE["inputs"][0], "values": ["a", "b"]}]}, "/dependence/inputs/0/values: "),
        ({"inputs": [{**DEPENDENCE["inputs"][0], "input": "y"}]}, "/dependence/inputs: "),
        ({"inputs": DEPENDENCE["inputs"] * 2}, "/dependence/inputs: "),
    ],
)
def test_a_partial_dependence_is_that_of_the_model(changed: dict[str, Any], at: str) -> None:
    check_dependence()
    with pytest.raises(ValueError, match=at):
        check_dependence(**changed)
