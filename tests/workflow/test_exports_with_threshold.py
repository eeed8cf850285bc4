"""Exports that name a class decide by the threshold."""

from dataclasses import replace
from pathlib import Path

import pytest

from service.workflow.errors import ExportFailed
from service.workflow.exports import EXPORTS
from service.workflow.exports.check import check
from service.workflow.threshold import decided_by
from tests.workflow.exporting import exported, table


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")  # of torch about itself
@pytest.mark.parametrize("name", ["onnx", "huggingface"])
def test_exports_decide_as_the_model_does(name: str, tmp_path: Path) -> None:
    parts = {
        "split": {"train": 50, "validation": 60, "test": 50},
        "threshold": {"cost": {"false_positive": 1, "false_negative": 20}},
        "calibration": None,
    }
    made = exported(tmp_path, "mlp", "number", "binary", (name,), **parts)
    source, path = made.source, made.files[name]
    assert source.signature.threshold is not None
    check(source, EXPORTS[name].predict(source, path), made.points)
    rows = [{name: row[name] for name in ("size", "age")} for row in table()[:40]]
    probabilities = [each["probabilities"] for each in made.own_predictions(rows)]
    labels = [each["label"] for each in made.own_predictions(rows)]
    positive = source.signature.classes[1]
    assert [each == positive for each in labels] == [
        each[str(positive)] > source.signature.threshold for each in probabilities
    ]
    assert labels != [sorted(each, key=each.__getitem__)[-1] for each in probabilities]
    plain = replace(source, signature=decided_by(source.signature, None))
    with pytest.raises(ExportFailed, match="the label"):  # the check tells them apart
        check(plain, EXPORTS[name].predict(plain, path), made.points)
