"""The examples of docs/exports.md, in an interpreter that cannot import this project, on the rows of a CSV file."""

import csv
import hashlib
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from PIL import Image

from modelwright import Client
from service.workflow.encode import raw_inputs
from tests.docs.pages import ROOT, Snippet, snippets
from tests.harness.server import Server
from tests.workflow.exporting import COLUMNS, KINDS, agree, exported, table
from tests.workflow.exporting_shapes import source_of, written
from tests.workflow.exporting_shapes import table as shaped_table
from tests.workflow.learning import spec

PAGE = ROOT / "docs" / "exports.md"
PREAMBLE = """
import importlib.util
assert all(importlib.util.find_spec(each) is None for each in ("model_store", "modelwright"))
"""


def example(of: str) -> str:
    """The example in Python that opens a file of this name."""
    found = [each for each in snippets(PAGE) if each.language == "python" and f'"{of}"' in each.code]
    assert len(found) == 1 and isinstance(found[0], Snippet)
    return found[0].code


def run(of: str, folder: Path) -> Any:
    """What the example prints, as JSON."""
    return json.loads(output(example(of), folder))


def code_of(text: str) -> str:
    """The example in Python that has this text."""
    (found,) = (each.code for each in snippets(PAGE) if each.language == "python" and text in each.code)
    return found


def output(code: str, folder: Path) -> str:
    """What the code prints. `-I` ignores PYTHONPATH and the current folder, and `-S` the environment's `.pth` files, which add
    this project."""
    packages = str(Path(torch.__file__).parents[1])
    code = f"import sys\nsys.path.append({packages!r})\n{PREAMBLE}\n{code}"
    done = subprocess.run(  # noqa: S603 - our own documentation
        [sys.executable, "-I", "-S", "-c", code], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_card(card: str, client: Client, folder: Path) -> None:
    """Compares what the program in a model card predicts from the ONNX file with the answer to the command in it."""
    command, *_, program = re.findall(r"^```(?:sh|python)\n(.*?)\n```$", card, re.DOTALL | re.MULTILINE)
    (instances,) = json.loads(shlex.split(command.replace("\\\n", ""))[-1]).values()
    (prediction,) = client.predict("exported", instances, version=1)["predictions"]
    printed = dict(line.split(" ", 1) for line in output(program, folder).splitlines() if line[0].isalpha())
    assert printed["label"] == f"['{prediction['label']}']"


def write_rows(folder: Path, rows: list[dict[str, Any]]) -> None:
    """The rows as `houses.csv`."""
    with (folder / "houses.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        for row in rows:
            writer.writerow({name: str(value).lower() if type(value) is bool else value for name, value in row.items()})


def test_onnx_by_onnx_runtime_numpy_and_csv_alone(server: Server, tmp_path: Path) -> None:
    data = {"records": table(), "features": COLUMNS["all"]}
    made = spec("kind", data=data, model=KINDS["tabm"], training={"epochs": 3})
    rows = [{name: row[name] for name in COLUMNS["all"]} for row in table()] + [dict.fromkeys(COLUMNS["all"])]
    rows[-1] |= {"garden": True, "colour": "mauve"}  # an unknown category
    write_rows(tmp_path, rows)
    with Client(server.url) as client:
        client.wait(client.train({**made, "model_name": "exported"})["id"])
        path = client.download_export("exported", "latest", "onnx", tmp_path / "houses.onnx")
        own = client.predict("exported", rows)["predictions"]
        shutil.copyfile(path, tmp_path / "exported-1.onnx")
        check_card(client.card("exported", 1), client, tmp_path)
    with server.http_client() as http:
        again = http.get("/v1/models/exported/versions/1/exports/onnx")
    assert again.content == path.read_bytes()
    assert again.headers["ETag"] == f'"{hashlib.sha256(again.content).hexdigest()}"'
    assert 'filename="exported-1.onnx"' in again.headers["Content-Disposition"]
    answers = run("houses.onnx", tmp_path)
    classes = sorted({row["kind"] for row in table()})
    found = [
        {"label": label, "probabilities": dict(zip(classes, row, strict=True))}
        for label, row in zip(answers["label"], answers["probabilities"], strict=True)
    ]
    assert agree(found, own, own)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")  # of torch about itself
def test_torch_export_and_state_dict_by_torch_alone(tmp_path: Path) -> None:
    made = exported(tmp_path, "mlp", "all", "several targets", ["torch_export"])
    rows = [{name: row[name] for name in COLUMNS["all"]} for row in table()]
    write_rows(tmp_path, rows)
    made.files["torch_export"].rename(tmp_path / "houses.pt2")
    own = made.own_predictions(rows)
    assert agree(run("houses.pt2", tmp_path)["answers"], own, own)
    torch.save({"weight": torch.tensor([0.4]), "bias": torch.tensor([0.6])}, tmp_path / "line.pt")
    assert run("line.pt", tmp_path) == pytest.approx(0.8)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore:The tensor attr:UserWarning")
def test_pictures_and_texts_by_three_exports_alone(tmp_path: Path) -> None:
    encoders = {"photo": {"kind": "cnn", "channels": [4]}, "review": {"kind": "text_embedding", "dim": 4}}
    names = ["photo", "review", "size"]
    source = source_of(tmp_path, {"kind": "fusion", "hidden": [], "encoders": encoders}, names)
    for export in ("onnx", "torch_export", "huggingface"):
        path = written(source, export, tmp_path)
        path.rename(tmp_path / path.name.replace("model", "ads", 1))
    with ZipFile(tmp_path / "ads.huggingface.zip") as archive:
        archive.extractall(tmp_path / "ads")
    columns: Any = shaped_table().columns
    with (tmp_path / "ads.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for at, (photo, code, size) in enumerate(
            zip(columns["photo"], columns["review"].codes, columns["size"], strict=True)
        ):
            Image.fromarray(photo.transpose(1, 2, 0)).save(tmp_path / f"{at}.png")
            text = "" if code < 0 else columns["review"].values[code]
            writer.writerow([f"{at}.png", text, "" if size != size else str(size)])
    with torch.inference_mode():
        own = source.model(raw_inputs(source.signature.inputs, columns)).tolist()
    printed = output(code_of('load("ads")') + code_of('"ads.onnx"'), tmp_path)
    by_folder, by_onnx, by_torch = map(json.loads, printed.splitlines())
    assert np.allclose([list(each["probabilities"].values()) for each in by_folder], own, atol=1e-5)
    assert np.allclose(by_onnx, own, atol=1e-5) and np.allclose(by_torch, own, atol=1e-5)
