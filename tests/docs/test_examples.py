"""The examples in other languages, against a real service."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.harness.server import Server

EXAMPLES = ROOT / "examples"
# Runs cells as Jupyter does: the value of a cell's last expression is shown, as HTML or a picture where it can be.
JUPYTER = """
import ast, json, sys
scope = {}
for cell in json.load(sys.stdin):
    *statements, last = ast.parse(cell).body
    value = None
    if isinstance(last, ast.Expr):
        exec(compile(ast.Module(statements, []), "cell", "exec"), scope)
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), scope)
    else:
        exec(compile(cell, "cell", "exec"), scope)
    shows = [getattr(value, name) for name in ("_repr_html_", "_repr_png_", "_repr_svg_") if hasattr(value, name)]
    print(*([show() for show in shows] or [value]))
"""
FLOWER = ("sepal_length=5.1", "sepal_width=3.5", "petal_length=1.4", "petal_width=0.2")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service with the model `iris`."""
    with Server(tmp_path_factory.mktemp("examples") / "home", slots=1) as server:
        server.client.upload_dataset("iris", EXAMPLES / "iris.csv")
        spec = json.loads((EXAMPLES / "iris.json").read_text())
        server.client.wait(server.client.train({**spec, "training": {"epochs": 5}})["id"])
        yield server


def test_node_asks_a_model(service: Server) -> None:
    if shutil.which("node") is None:
        assert os.environ.get("BROWSER_TESTS") != "required"
        pytest.skip("there is no Node")

    def node(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "MODELWRIGHT_URL": service.url}
        command = ["node", str(EXAMPLES / "predict.mjs"), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603

    done = node("iris", *FLOWER)
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) == {"label", "probabilities"}
    wrong = node("iris", "sepal_length=long", *FLOWER[1:])
    assert wrong.returncode == 1
    assert "sepal_length" in wrong.stderr
    assert node("iris").returncode == 2


def test_the_cells_of_the_notebook_run(service: Server, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(EXAMPLES)
    cells = json.loads((EXAMPLES / "iris.ipynb").read_text())["cells"]
    code = ["".join(each["source"]) for each in cells if each["cell_type"] == "code"]
    environment = {**os.environ, "MODELWRIGHT_URL": service.url, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", JUPYTER]
    done = subprocess.run(  # noqa: S603
        command,
        input=json.dumps(code),
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "iris.pt").stat().st_size > 0
