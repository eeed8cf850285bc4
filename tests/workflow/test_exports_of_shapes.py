"""Exports of models with inputs whose values have a shape predict what the model predicts."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.errors import ExportFailed
from service.workflow.exports import EXPORTS, Answers, Source
from service.workflow.exports.check import check
from service.workflow.models import KINDS
from service.workflow.save_and_load import load, save
from tests.workflow.test_shaped_inputs import BOTH, Grid, Joined, resolved, train

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")  # of torch about itself


@pytest.fixture(autouse=True)
def _kinds(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(COLUMN_TYPES, "grid", Grid())
    monkeypatch.setitem(KINDS, "joined", Joined)
    yield


def source_of(folder: Path) -> Source:
    """A trained model of a picture and a column of numbers, of which one is missing."""
    of = resolved(BOTH, model={"kind": "joined"})
    learned, _ = train(of)
    path = folder / "state_dict.safetensors"
    save(learned.model, path)
    model = load(of.spec, learned.signature, path)
    manifest = {"spec": of.spec.to_json(), "signature": learned.signature.model_dump(mode="json")}
    return Source(manifest, "0" * 64, of.spec, learned.signature, path, model)


def written(source: Source, name: str, folder: Path) -> Path:
    """The file of an export, which the check has accepted."""
    export, path = EXPORTS[name], folder / name
    assert export.write is not None
    export.write(source, path)
    check(source, export.predict(source, path), None)
    return path


def test_files_take_a_picture_and_a_column_by_name(tmp_path: Path) -> None:
    source = source_of(tmp_path)
    draw = np.random.default_rng(1)
    picture, weight = draw.integers(0, 256, (7, 1, 6, 6), np.uint8), np.array([*draw.normal(size=6), np.nan])
    raw = {"features": torch.from_numpy(weight[:, None]).float(), "picture": torch.from_numpy(picture)}
    with torch.inference_mode():
        own = source.model(raw).numpy()
    session = onnxruntime.InferenceSession(written(source, "onnx", tmp_path))
    taken = [(each.name, each.type, each.shape) for each in session.get_inputs()]
    assert taken == [("picture", "tensor(uint8)", ["rows", 1, 6, 6]), ("weight", "tensor(float)", ["rows"])]
    _, probabilities = session.run(None, {"weight": weight.astype(np.float32), "picture": picture})
    assert np.allclose(probabilities, own, atol=1e-5)
    extra = {"tensors.json": "", "signature.json": ""}
    module = torch.export.load(written(source, "torch_export", tmp_path), extra_files=extra).module()
    assert json.loads(extra["tensors.json"]) == [
        {"name": "columns", "dtype": "float64", "shape": [1], "inputs": ["weight"]},
        {"name": "picture", "dtype": "uint8", "shape": [1, 6, 6], "inputs": ["picture"]},
    ]
    answers = module({"picture": raw["picture"], "columns": torch.from_numpy(weight[:, None])})
    assert np.allclose(answers.numpy(), own, atol=1e-5)


def test_the_check_tries_pictures_that_are_missing_or_extreme(tmp_path: Path) -> None:
    source = source_of(tmp_path)
    right = EXPORTS["safetensors"].predict(source, source.state_dict)
    check(source, right, None)
    for value, where in {0: "a missing value", 255: "an extreme value"}.items():

        def wrong(rows, value=value):  # type: ignore[no-untyped-def]
            apart = (rows.columns["picture"] == value).all(axis=(1, 2, 3))[:, None]
            return Answers(right(rows).values + 1e-3 * apart)

        with pytest.raises(ExportFailed, match=where):
            check(source, wrong, None)
