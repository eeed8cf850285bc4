"""Exports of a calibrated model predict its calibrated probabilities."""

from pathlib import Path

import pytest

from service.workflow.exports import EXPORTS
from service.workflow.exports.check import check
from tests.workflow.exporting import exported, table


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")  # of torch about itself
@pytest.mark.parametrize(
    ("kind", "task", "loss"),
    [
        ("tabm", "multiclass", "CrossEntropyLoss"),
        ("tabm", "binary", "BCEWithLogitsLoss"),
        ("mlp", "binary", "BCELoss"),
        ("mlp", "multiclass", "NLLLoss"),
    ],
)
def test_exports_predict_what_the_calibrated_model_predicts(kind: str, task: str, loss: str, tmp_path: Path) -> None:
    split = {"train": 50, "validation": 60, "test": 50}
    parts = {"split": split, "loss": {"name": loss}, "training": {"epochs": 2}, "calibration": "temperature"}
    made = exported(tmp_path, kind, "number", task, ("torch_export", "onnx", "huggingface", "state_dict"), **parts)
    model = made.source.model
    assert model.calibration is not None
    for name, path in made.files.items():
        check(made.source, EXPORTS[name].predict(made.source, path), made.points)
    rows = [{name: row[name] for name in ("size", "age")} for row in table()[:5]]
    predicted = made.own_predictions(rows)
    model.calibration = None
    with pytest.raises(Exception, match="instead of"):  # the check tells them apart
        check(made.source, EXPORTS["state_dict"].predict(made.source, made.files["state_dict"]), made.points)
    assert [each["label"] for each in predicted] == [each["label"] for each in made.own_predictions(rows)]
