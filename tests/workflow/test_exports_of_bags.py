"""Exports of a bag of folds' networks predict the mean of their answers."""

from pathlib import Path

import pytest

from service.workflow.exports import EXPORTS
from service.workflow.exports.check import check
from service.workflow.models.bag import BagOfNetworks
from tests.workflow.exporting import exported

NAMES = ("torch_export", "onnx", "huggingface", "state_dict")


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")  # of torch about itself
@pytest.mark.parametrize(
    ("kind", "columns", "task", "loss"),
    [
        ("tabm", "boolean", "multiclass", "CrossEntropyLoss"),
        ("mlp", "number", "binary", "BCELoss"),
        ("layers", "category", "regression", "MSELoss"),
    ],
)
def test_exports_predict_what_the_bag_predicts(kind: str, columns: str, task: str, loss: str, tmp_path: Path) -> None:
    split = {"kind": "k_fold", "folds": 3}
    made = exported(tmp_path, kind, columns, task, NAMES, split=split, loss={"name": loss}, training={"epochs": 2})
    bag = made.source.model.network
    assert isinstance(bag, BagOfNetworks) and len(bag.networks) == 3
    for name, path in made.files.items():
        check(made.source, EXPORTS[name].predict(made.source, path), made.points)
    for parameter in bag.networks[2].parameters():
        parameter.data.mul_(3)
    with pytest.raises(Exception, match="instead of"):  # the check sees each of the networks
        check(made.source, EXPORTS["state_dict"].predict(made.source, made.files["state_dict"]), made.points)
