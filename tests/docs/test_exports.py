"""The examples of docs/exports.md, in an interpreter that cannot import this project, on the rows of a CSV file."""

import csv
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from modelwright import Client
from tests.docs.pages import ROOT, Snippet, snippets
from tests.harness.server import Server
from tests.workflow.exporting import COLUMNS, KINDS, agree, exported, table
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
    """What the example prints, as JSON. `-I` ignores PYTHONPATH and the current folder, and `-S` the environment's `.pth`
    files, which add this project."""
    packages = str(Path(torch.__file__).parents[1])
    code = f"import sys\nsys.path.append({packages!r})\n{PREAMBLE}\n{example(of)}"
    done = subprocess.run(  # noqa: S603 - our own documentation
        [sys.executable, "-I", "-S", "-c", code], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


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
