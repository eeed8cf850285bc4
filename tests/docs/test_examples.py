"""The example notebook, against a real service."""

import json
import os
import subprocess
import sys
from pathlib import Path

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


def test_the_cells_of_the_notebook_run(server: Server, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(EXAMPLES)
    cells = json.loads((EXAMPLES / "iris.ipynb").read_text())["cells"]
    code = ["".join(each["source"]) for each in cells if each["cell_type"] == "code"]
    environment = {**os.environ, "MODELWRIGHT_URL": server.url, "PYTHONPATH": str(ROOT)}
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
