"""The folder for the Hugging Face Hub: its `modeling.py`, with torch and safetensors alone, answers as the service does."""

import csv
import hashlib
import io
import json
import os
import random
import runpy
import subprocess
import sys
import sysconfig
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any, Literal
from zipfile import ZipFile

import orjson
import pytest
from torch import nn

from service.serving.codecs import csv as csv_codec
from service.serving.codecs.json import predictions
from service.serving.warm_models import Warm
from service.workflow.errors import ExportFailed
from service.workflow.exports import EXPORTS, Source
from service.workflow.exports.check import check
from service.workflow.models import OURS, ModelKind
from service.workflow.models.input_shapes import InputShapes
from service.workflow.signature import Input
from tests.docs.pages import ROOT, snippets
from tests.workflow.exporting import COLUMNS, KINDS, TARGETS, Exported, agree, exported, may_learn, table

EXPORT = EXPORTS["huggingface"]
COMBINATIONS = [
    (kind, columns, task) for kind in KINDS for columns in COLUMNS for task in TARGETS if may_learn(kind, task)
]
FILES = [f"modeling{each}.py" for each in ("", "_encoders", "_networks", "_shapes", "_texts", "_values")]
SHAPED_KINDS = frozenset(
    {"cnn", "fusion", "recurrent", "text_embedding", "transformer"}
)  # in test_exports_of_shapes.py
EVERY = os.environ.get("EXPORTS") == "all"  # as in scripts/nightly


def pairwise() -> list[tuple[str, str, str]]:
    """Combinations with each pair of a kind, a sort of columns and a task."""
    chosen, seen = [], set[tuple[str, str]]()
    left = list(COMBINATIONS)
    while left:
        best = max(left, key=lambda each: len({*combinations(each, 2)} - seen))
        pairs = {*combinations(best, 2)} - seen
        if not pairs:
            break
        chosen.append(best)
        seen |= pairs
    return chosen


# The folder of torch and safetensors is added without its .pth files, which name this project; an import of the others fails.
PREAMBLE = """
import runpy, sys
sys.path.append(sys.argv.pop(1))
sys.modules.update(dict.fromkeys(("numpy", "service", "model_store", "modelwright")))
"""
FROM_A_SHELL = """
runpy.run_path("houses/modeling.py", run_name="__main__")
"""


def folder_of(made: Exported) -> Path:
    """The extracted archive of an exported model."""
    folder = made.files["huggingface"].with_suffix(".folder")
    with ZipFile(made.files["huggingface"]) as archive:
        archive.extractall(folder)
    return folder


def alone(folder: Path) -> list[Any]:
    """What the example of docs/exports.md prints, and what `modeling.py` prints for the same rows from a shell: in an interpreter
    that finds torch and safetensors, but neither this project nor NumPy."""
    (example,) = (
        each.code for each in snippets(ROOT / "docs/exports.md") if '"houses")' in each.code and "load()" in each.code
    )
    packages = sysconfig.get_paths()["purelib"]
    code = PREAMBLE + example + FROM_A_SHELL
    command = [sys.executable, "-I", "-S", "-W", "ignore", "-c", code, packages, "houses.csv"]
    done = subprocess.run(command, capture_output=True, cwd=folder, env={"OMP_NUM_THREADS": "1"})  # noqa: S603 - our own code
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def as_csv(rows: list[dict[str, Any]], separator: str = ",") -> str:
    """The rows as a CSV file; an empty cell is a missing value."""
    target = io.StringIO()
    writer = csv.DictWriter(target, list(rows[0]), delimiter=separator, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return target.getvalue()


def own_answers(source: Source, body: str) -> list[Any]:
    """What the service answers to a CSV file, as JSON."""
    raw = csv_codec.read(body.encode(), source.signature, missing_allowed=True)
    warm = Warm(source.model, source.signature)
    made: list[Any] = orjson.loads(orjson.dumps(predictions(warm, raw), option=orjson.OPT_SERIALIZE_NUMPY))
    return made


def rows_of(source: Source) -> list[dict[str, Any]]:
    """Rows with the inputs of a model, one of them with values that were never seen."""
    rows = table()
    rows[1] |= {"colour": "a colour that was never seen", "zone": "1.0"}
    return [{each.name: row[each.name] for each in source.signature.inputs} for row in rows]


def test_every_kind_is_tried() -> None:
    assert KINDS.keys() | SHAPED_KINDS == OURS


@pytest.mark.parametrize(("kind", "columns", "task"), COMBINATIONS if EVERY else pairwise())
def test_every_model_predicts_alike(kind: str, columns: str, task: str, tmp_path: Path) -> None:
    made = exported(tmp_path, kind, columns, task, ["huggingface"])
    check(made.source, EXPORT.predict(made.source, made.files["huggingface"]), made.points)
    model = runpy.run_path(str(folder_of(made) / "modeling.py"))["load"]()
    rows = rows_of(made.source)
    usual = made.own_predictions(rows)
    for count in (0, 1, 3, len(rows)):
        assert agree(model.predict(rows[:count]), usual[:count], usual)
    if EVERY:
        many = random.Random(1).choices(rows, k=20_000)  # noqa: S311 - test data
        assert agree(model.predict(many), made.own_predictions(many), usual)


def test_the_folder_needs_torch_and_safetensors_alone(tmp_path: Path) -> None:
    made = exported(tmp_path, "tabm", "all", "multiclass", ["huggingface"])
    rows = rows_of(made.source)
    rows[1] |= {"garden": "yes", "lift": "", "sold": "2024-02-29 17:30"}
    folder_of(made).rename(tmp_path / "houses")
    (tmp_path / "houses.csv").write_text(as_csv(rows))
    example, *from_a_shell = alone(tmp_path)
    own = own_answers(made.source, as_csv(rows))
    assert agree(example, own, own)
    assert from_a_shell == example


def test_texts_are_read_in_the_form_of_the_data(tmp_path: Path) -> None:
    """Of a German file: other separator, decimal comma, form of dates, words for missing values and encoding."""
    made = exported(tmp_path, "mlp", "all", "regression", ["huggingface"])
    form: dict[str, dict[str, Any]] = {
        "number": {"decimal": ",", "missing": ["k. A.", "-999"]},
        "datetime": {"date_format": "%d.%m.%Y"},
        "category": {"missing": ["k. A."]},
    }
    inputs = [Input(**each.model_dump() | form.get(each.type, {})) for each in made.source.signature.inputs]
    signature = made.source.signature.model_copy(update={"inputs": inputs, "encoding": "cp1252"})
    source = replace(made.source, signature=signature)
    assert EXPORT.write is not None
    EXPORT.write(source, made.files["huggingface"])
    rows = rows_of(source)[:40]
    for at, row in enumerate(rows):
        year, month, day = row["sold"].split("-")
        row["sold"] = f"{day}.{month}.{year}"
        row["size"] = ["1.234,5", "-0,25", "k. A.", "-999", "(3,5)", "12 %", "€ 7"][at % 7]
        row["colour"] = ["red", "grün", "k. A.", " blue "][at % 4]
    path = tmp_path / "rows.csv"
    path.write_text(as_csv(rows, ";"), encoding="cp1252")
    modeling = runpy.run_path(str(folder_of(made) / "modeling.py"))
    model = modeling["load"]()
    given = model.predict(modeling["read_csv"](path, model.config))
    own = own_answers(source, as_csv(rows, ";"))
    assert agree(given, own, own)


def test_a_value_that_the_model_cannot_take_is_named(tmp_path: Path) -> None:
    made = exported(tmp_path, "mlp", "all", "regression", ["huggingface"])
    model = runpy.run_path(str(folder_of(made) / "modeling.py"))["load"]()
    row = table()[0]
    for name, value in {"size": "big", "age": True, "sold": "yesterday", "garden": 2, "colour": ["red"]}.items():
        with pytest.raises(ValueError, match=f"row 2, the input '{name}': expected"):
            model.predict([row, row | {name: value}])
    with pytest.raises(ValueError, match="row 1 has no value for the input 'size'"):
        model.predict([{name: value for name, value in row.items() if name != "size"}])
    with pytest.raises(ValueError, match=r"beyond what a torch\.float64 can hold"):
        model.predict([row | {"size": "1e999"}])


def test_the_same_version_makes_the_same_bytes(tmp_path: Path) -> None:
    made = exported(tmp_path, "linear_regression", "number", "regression", ["huggingface"])
    again = tmp_path / "again.zip"
    assert EXPORT.write is not None
    EXPORT.write(made.source, again)
    assert again.read_bytes() == made.files["huggingface"].read_bytes()
    with ZipFile(again) as archive:
        assert archive.namelist() == ["config.json", "README.md", *FILES, "model.safetensors"]
        tensors = archive.read("model.safetensors")
    assert hashlib.sha256(tensors).digest() == hashlib.sha256(made.source.state_dict.read_bytes()).digest()


class Doubled(ModelKind):
    """A kind of a plug-in."""

    kind: Literal["doubled"] = "doubled"

    def build(self, inputs: InputShapes, outputs: int, head: nn.Module | None) -> nn.Module:
        return nn.Linear(inputs.features, outputs)


def test_a_plug_in_is_not_exported(tmp_path: Path) -> None:
    made = exported(tmp_path, "linear_regression", "number", "regression", [])
    source = replace(made.source, spec=made.source.spec.model_copy(update={"model": Doubled()}))
    assert EXPORT.write is not None
    with pytest.raises(ExportFailed, match="'doubled' come from a plug-in"):
        EXPORT.write(source, tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()
