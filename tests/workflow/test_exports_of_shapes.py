"""Exports of models with inputs whose values have a shape predict what the model predicts."""

import base64
import json
import re
import runpy
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import onnxruntime
import PIL.Image
import pytest
import torch
from numpy.typing import NDArray

from service.workflow.data.table import Table
from service.workflow.encode import raw_inputs
from service.workflow.errors import ExportFailed
from service.workflow.exports import EXPORTS, Answers, Source
from service.workflow.exports.check import check
from service.workflow.exports.check_rows import batches
from service.workflow.exports.columns import columns_of
from service.workflow.look.examples import Example, Examples, Picture
from service.workflow.look.points import Points
from tests.workflow.exporting_shapes import FEATURES, source_of, table, written

pytestmark = pytest.mark.filterwarnings(  # of torch about itself
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore:The tensor attribute:UserWarning"
)
CNN = {"kind": "cnn", "channels": [4]}
FUSION = {"kind": "fusion", "hidden": [6], "encoders": {"photo": CNN, "columns": CNN}}
FEW = ["photo", "review", "columns", "size", "the colour"]  # a graph of few operations
OTHERS: list[tuple[dict[str, Any], list[str]]] = [
    ({"kind": "recurrent", "cell": "LSTM", "hidden": 5, "bidirectional": True}, ["note"]),
    ({"kind": "recurrent", "hidden": 5}, ["clip"]),
    ({"kind": "transformer", "dim": 8, "depth": 1}, ["review"]),
    ({"kind": "transformer", "dim": 8, "depth": 1, "patch": 4}, ["photo"]),
    ({"kind": "text_embedding", "dim": 4, "hidden": [5]}, ["review"]),
    ({"kind": "cnn", "channels": [4]}, ["columns"]),
    (FUSION, list(FEATURES)),
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """A model of a column of each type."""
    return source_of(tmp_path_factory.mktemp("model"), FUSION, list(FEATURES))


@pytest.fixture(scope="module")
def smaller(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """A model of a column of each sort."""
    return source_of(tmp_path_factory.mktemp("smaller"), FUSION, FEW)


def own_answers(source: Source, rows: Table) -> NDArray[np.float32]:
    """What the model answers."""
    with torch.inference_mode():
        answers: NDArray[np.float32] = source.model(raw_inputs(source.signature.inputs, rows.columns)).numpy()
    return answers


def ids_of(source: Source, name: str, rows: Table) -> torch.Tensor:
    """The ids of the texts of a column."""
    raw = raw_inputs(source.signature.inputs, rows.columns)
    assert isinstance(raw, dict)
    return raw[name].long()


@pytest.fixture(scope="module")
def onnx_file(smaller: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smaller model as ONNX."""
    return written(smaller, "onnx", tmp_path_factory.mktemp("onnx"))


def test_onnx_takes_pixels_ids_and_numbers_by_name(smaller: Source, onnx_file: Path) -> None:
    session = onnxruntime.InferenceSession(onnx_file)
    taken = {each.name: (each.type, each.shape) for each in session.get_inputs()}
    review = smaller.signature.inputs[1].shape
    assert review is not None
    assert taken == {
        "photo": ("tensor(uint8)", ["rows", 3, 9, 10]),
        "review": ("tensor(int64)", ["rows", *review]),
        "columns": ("tensor(float)", ["rows", 6, 5]),
        "size": ("tensor(float)", ["rows"]),
        "the colour": ("tensor(string)", ["rows"]),
    }
    rows = table()
    feed: dict[str, Any] = {name: rows.columns[name] for name in ("photo", "columns", "size")}
    feed["review"] = ids_of(smaller, "review", rows).numpy()
    colours: Any = rows.columns["the colour"]
    feed["the colour"] = np.array([*colours.values, ""], object)[colours.codes]
    _, probabilities = session.run(None, feed)
    assert np.allclose(np.asarray(probabilities), own_answers(smaller, rows), atol=1e-5)
    signature = json.loads(session.get_modelmeta().custom_metadata_map["signature"])
    assert signature["inputs"][1]["text"] == {"encoding": "ngrams", "ngrams": [1, 4], "buckets": 200} | dict.fromkeys(
        ("vocabulary", "merges")
    )


def test_torch_export_takes_a_dict_of_tensors(smaller: Source, tmp_path: Path) -> None:
    extra = {"tensors.json": "", "signature.json": ""}
    module = torch.export.load(written(smaller, "torch_export", tmp_path), extra_files=extra).module()
    listed, rows = json.loads(extra["tensors.json"]), table()
    review = smaller.signature.inputs[1].shape
    assert listed == [
        {"name": "columns_", "dtype": "float64", "shape": [2], "inputs": ["size", "the colour"]},
        {"name": "photo", "dtype": "uint8", "shape": [3, 9, 10], "inputs": ["photo"]},
        {"name": "review", "dtype": "int64", "shape": review, "inputs": ["review"]},
        {"name": "columns", "dtype": "float32", "shape": [6, 5], "inputs": ["columns"]},
    ]
    photos, series = (torch.from_numpy(np.asarray(rows.columns[name])) for name in ("photo", "columns"))
    given = {"columns": series, "review": ids_of(smaller, "review", rows), "photo": photos}
    given["columns_"] = columns_of(smaller.signature, rows)
    assert np.allclose(module(given).numpy(), own_answers(smaller, rows), atol=1e-5)


def folder_of(source: Source, folder: Path) -> Path:
    """The extracted folder for Hugging Face."""
    with ZipFile(written(source, "huggingface", folder)) as archive:
        archive.extractall(folder / "extracted")
    return folder / "extracted"


def test_the_hugging_face_folder_takes_pictures_texts_and_arrays(source: Source, tmp_path: Path) -> None:
    model = runpy.run_path(str(folder_of(source, tmp_path) / "modeling.py"))["load"]()
    rows = table()
    columns = {name: EXPORTED[name](rows.columns[name]) for name in FEATURES}
    given = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    found = [list(each["probabilities"].values()) for each in model.predict(given)]
    assert np.allclose(found, own_answers(source, rows), atol=1e-5)
    with pytest.raises(ValueError, match=r"row 2, the input 'photo': expected an image, not Tensor: the shape"):
        model.predict([given[0], given[1] | {"photo": torch.zeros(3, 3, 3, dtype=torch.uint8)}])


def test_the_readme_of_the_folder_has_a_program_that_works(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of(source, tmp_path)
    monkeypatch.chdir(folder)
    for name in ("photo.jpg", "clip.gif"):
        PIL.Image.new("RGB", (30, 20), (200, 10, 10)).save(name)
    text = (folder / "README.md").read_text()
    assert "It needs Python 3.11, torch, safetensors, Pillow and tokenizers, and nothing of Modelwright" in text
    assert "pipeline_tag" not in text and "image" in text.partition("---\n\n")[0]
    program = re.search(
        r"^```python\nimport torch\nfrom modeling import load\n(.*?)^```$", text, re.DOTALL | re.MULTILINE
    )
    assert program is not None
    exec(program[1], runpy.run_path("modeling.py") | {"torch": torch})  # noqa: S102 - our own program
    assert "'probabilities': {'0': " in capsys.readouterr().out


def listed(column: Any) -> list[Any]:
    """Texts as they are, None for a missing one."""
    return [None if code < 0 else column.values[code] for code in column.codes]


EXPORTED: dict[str, Any] = {
    **dict.fromkeys(("review", "note", "the colour"), listed),
    "columns": lambda column: column.tolist(),
    "size": lambda column: column.tolist(),
    "photo": list,
    "clip": lambda column: [list(each) for each in column],  # of frames
}


@pytest.mark.nightly
@pytest.mark.parametrize("export", ["torch_export", "onnx", "huggingface"])
@pytest.mark.parametrize(("model", "names"), OTHERS, ids=[f"{each['kind']}-{names[0]}" for each, names in OTHERS])
def test_every_kind_is_exported(model: dict[str, Any], names: list[str], export: str, tmp_path: Path) -> None:
    written(source_of(tmp_path, model, names), export, tmp_path)


def test_the_check_tries_values_that_are_missing_or_extreme(source: Source) -> None:
    right = EXPORTS["safetensors"].predict(source, source.state_dict)
    check(source, right, None)
    for value, where in {0: "a missing value", 255: "an extreme value"}.items():

        def wrong(rows: Table, value: int = value) -> Answers:
            photos: Any = rows.columns["photo"]
            return Answers(right(rows).values + 1e-3 * (photos == value).all(axis=(1, 2, 3))[:, None])

        with pytest.raises(ExportFailed, match=where):
            check(source, wrong, None)


def test_the_check_begins_with_the_examples_of_the_data(smaller: Source) -> None:
    colours = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)  # height, width, channels
    picture = Picture(width=2, height=2, channels=3, pixels=base64.b64encode(colours.tobytes()).decode())
    example = Example(truth="1", answer="1", picture=picture, text="We liked it.")
    examples = Examples(picture="photo", text="review", groups=[], part="test", worst=[example])
    first, *_ = batches(smaller, Points(features={}, part=[], truth=[], prediction=[], examples=examples))
    photos: Any = first.rows.columns["photo"]
    texts: Any = first.rows.columns["review"]
    assert np.array_equal(photos[0, :, 0, 0], colours[0, 0]) and np.array_equal(photos[0, :, -1, -1], colours[1, 1])
    assert texts.values[texts.codes[0]] == "We liked it."
