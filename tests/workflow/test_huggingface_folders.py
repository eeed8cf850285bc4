"""Folders for the Hugging Face Hub of models with any loss and with hostile names, and the metadata of README.md."""

import ast
import json
import re
import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from service.workflow.exports import EXPORTS, Source
from service.workflow.exports.check import check
from service.workflow.exports.huggingface.readme import METRICS, readme
from service.workflow.look.points import Points
from service.workflow.save_and_load import load, save
from tests.workflow.learning import FEATURES, spec, train

EXPORT = EXPORTS["huggingface"]
HOSTILE = [
    "__class__",
    "name",
    '"; import os; os.system("id")  #',
    "'''\n\"\"\"\\",
    "---\n---\nlicense: mit",
    "a: [b, {c: &d *d !!python/object:os.system {}}]",
    "| `x` | ``` ~~~ <script>alert(1)</script> ![](javascript:alert(1)) &lt; |",
    "=cmd|' /C calc'!A0",
    "\u2028\u0085\u202eright to left\x00\x7f{{ '{' }} ${x} %s %(x)s",
    "😀 é 中",
]

LINE = [{"x": float(row), "y": 2.5 * row} for row in range(40)]


def source_of(
    folder: Path, value: dict[str, Any], notes: str | None = None, licence: Any = None
) -> tuple[Source, Points]:
    """The model of a spec, and sampled rows of its data."""
    trained = train(value)
    path = folder / "state_dict.safetensors"
    save(trained.learned.model, path)
    resolved, signature = trained.resolved.spec, trained.learned.signature
    manifest = {
        "spec": {**resolved.to_json(), "notes": notes, "license": licence},
        "signature": signature.model_dump(mode="json", exclude_none=True),
        "metrics": trained.learned.evaluation.metrics,
    }
    source = Source(manifest, "0" * 64, resolved, signature, path, load(resolved, signature, path))
    return source, trained.learned.points


def of_records(records: list[dict[str, Any]], target: str) -> dict[str, Any]:
    """The spec of a model of records."""
    types = {str: "category", float: "number"}
    features = {name: {"type": types[type(value)]} for name, value in records[0].items() if name != target}
    data = {"records": records, "features": features}
    return spec(target, data=data, training={"epochs": 1, "batch_size": "full"})


def exported(source: Source, points: Points, path: Path) -> Path:
    """The checked and extracted folder."""
    assert EXPORT.write is not None
    EXPORT.write(source, path)
    check(source, EXPORT.predict(source, path), points)
    folder = path.parent / "folder"
    with ZipFile(path) as archive:
        archive.extractall(folder)
    return folder


def metadata_of(text: str) -> dict[str, Any]:
    """The metadata, as a reader of YAML finds it."""
    yaml = pytest.importorskip("yaml")
    _, front, body = text.split("---\n", 2)
    assert body.startswith("\n# ")
    found: dict[str, Any] = yaml.safe_load(front)
    return found


LOSSES = [
    ("GaussianNLLLoss", ["price", "visitors"], {"kind": "tabm", "width": 8, "members": 2}),
    ("PoissonNLLLoss", "visitors", {"kind": "mlp", "hidden": [8]}),
    ("BCELoss", "dear", {"kind": "tabm", "width": 8, "members": 2}),
    ("BCELoss", ["large", "old"], {"kind": "logistic_regression"}),
    ("NLLLoss", "kind", {"kind": "logistic_regression"}),
    ("NLLLoss", "kind", {"kind": "layers", "layers": [{"name": "Linear"}, {"name": "LogSoftmax", "dim": 1}]}),
    ("NLLLoss", "dear", {"kind": "layers", "layers": [{"name": "Linear"}]}),
    ("MultiMarginLoss", "dear", {"kind": "mlp", "hidden": [8], "normalization": "LayerNorm", "activation": "Tanh"}),
    ("SoftMarginLoss", "dear", {"kind": "mlp", "hidden": []}),
]


@pytest.mark.parametrize(("loss", "target", "model"), LOSSES)
def test_every_meaning_of_an_output_and_every_head(
    loss: str, target: Any, model: dict[str, Any], tmp_path: Path
) -> None:
    data: dict[str, Any] = {"features": {name: FEATURES[name] for name in ("size", "age", "colour", "garden")}}
    if target == "visitors":
        data["task"] = "regression"
    preprocessing = {"normalize": loss != "NLLLoss"}
    value = spec(
        target, loss={"name": loss}, model=model, preprocessing=preprocessing, training={"epochs": 1}, data=data
    )
    source, points = source_of(tmp_path, value)
    exported(source, points, tmp_path / "a.zip")


def test_counts_without_logarithms(tmp_path: Path) -> None:
    loss = {"name": "PoissonNLLLoss", "log_input": False}
    source, points = source_of(
        tmp_path, spec("visitors", loss=loss, data={"task": "regression"}, training={"epochs": 1})
    )
    assert json.loads((exported(source, points, tmp_path / "a.zip") / "config.json").read_text())["output"] == "rate"


def test_hostile_names_are_only_names(tmp_path: Path) -> None:
    records = [
        {name: HOSTILE[(row + at) % 10] if at % 2 else float(row * at % 7) for at, name in enumerate(HOSTILE)}
        | {"target": HOSTILE[row % 3]}
        for row in range(60)
    ]
    source, points = source_of(tmp_path, of_records(records, "target"), notes="\n".join(HOSTILE), licence=HOSTILE[4])
    folder = exported(source, points, tmp_path / "a.zip")
    assert [each["name"] for each in json.loads((folder / "config.json").read_text())["inputs"]] == HOSTILE
    model = runpy.run_path(str(folder / "modeling.py"))["load"]()
    (given,) = model.predict(records[:1])
    assert list(given["probabilities"]) == sorted(HOSTILE[:3])
    text = (folder / "README.md").read_text()
    assert metadata_of(text) == {
        "license": "other",
        "license_name": "license-mit",
        "library_name": "pytorch",
        "pipeline_tag": "tabular-classification",
        "tags": ["modelwright", "tabular", "multiclass", "mlp"],
        "metrics": ["accuracy", "balanced_accuracy", "f1", "roc_auc", "log_loss", "ece"],
    }
    example = re.search(
        r"^(`{3,})python\nfrom modeling import load\n\nmodel = load\(\)\n(.*?)\n\1\n", text, re.DOTALL | re.MULTILINE
    )
    assert example is not None
    row = ast.literal_eval(example[2].removeprefix("row = ").rpartition("\nprint(model.predict([row]))")[0])
    assert list(row) == HOSTILE
    assert len(model.predict([row])) == 1


def test_a_thousand_columns(tmp_path: Path) -> None:
    records = [{**{f"x{at}": float((row * at) % 7) for at in range(1000)}, "y": 2.5 * row} for row in range(30)]
    source, points = source_of(tmp_path, of_records(records, "y"))
    folder = exported(source, points, tmp_path / "a.zip")
    model = runpy.run_path(str(folder / "modeling.py"))["load"]()
    assert len(model.predict(records)) == 30


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        (None, {"license": "unknown"}),
        ("Apache-2.0", {"license": "apache-2.0"}),
        ("GPL-3.0-or-later", {"license": "gpl-3.0"}),
        ("CC-BY-4.0", {"license": "cc-by-4.0"}),
        ("Our House Rules 2.0", {"license": "other", "license_name": "our-house-rules-2.0"}),
        ("许可", {"license": "other", "license_name": "other"}),
        (["not", "a text"], {"license": "unknown"}),
    ],
)
def test_the_license_is_one_that_the_hub_knows(recorded: Any, expected: dict[str, str], tmp_path: Path) -> None:
    source, _ = source_of(tmp_path, of_records(LINE, "y"), licence=recorded)
    found = metadata_of(readme(source))
    assert {name: value for name, value in found.items() if name.startswith("license")} == expected


def test_a_manifest_of_anything_makes_a_readme(tmp_path: Path) -> None:
    source, _ = source_of(tmp_path, of_records(LINE, "y"))
    found = metadata_of(readme(source))
    assert found["pipeline_tag"] == "tabular-regression"
    assert found["metrics"] == [METRICS["r2"], "mae", "rmse"]
    odd = {"metrics": {"test": ["r2"], "train": {'"\n': 1}}, "spec": [], "environment": 7}
    assert metadata_of(readme(replace(source, manifest=odd)))["metrics"] == ['"\n']
