"""The commands in the documentation work, run in order against a new service."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service.workflow.spec import parse
from tests.docs.pages import PAGES, ROOT, Snippet, name, snippets

WRITTEN = "http://127.0.0.1:8000"
RUN = {"bash", "python"}
GUIDES = ROOT / "docs" / "guides"
# A refused call fails its snippet, except in snippets that show errors.
PREAMBLE = """set -euo pipefail
modelwright() { "$PYTHON" -m service "$@"; }
python3() { "$PYTHON" "$@"; }
curl() { command curl --max-time 300 --noproxy '*' $FAIL "$@"; }
"""


def runnable(page: Path) -> list[Snippet]:
    return [each for each in snippets(page) if each.mark == "run" and each.language in RUN]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_snippet_is_marked(page: Path) -> None:
    silent = [each.code for each in snippets(page) if each.language in RUN | {"json"} and each.mark is None]
    assert not silent


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="the snippets use curl")


@needs_curl
@pytest.mark.parametrize("page", [page for page in PAGES if runnable(page) and page.parent != GUIDES], ids=name)
def test_snippets_run(page: Path, address: str, tmp_path: Path) -> None:
    run_all([page], address, tmp_path)


@needs_curl
def test_the_guides_run_one_after_another(address: str, tmp_path: Path) -> None:
    """Against one service: later ones use the models of earlier ones, as their readers do."""
    first = [GUIDES / f"{each}.md" for each in ("train-your-own-table", "read-the-result", "share-a-model")]
    run_all([*first, *sorted({*GUIDES.glob("*.md")} - {*first})], address, tmp_path)
    if shutil.which("node") is not None:
        flower = '[{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}]'
        for rows, status, output in ((flower, 0, '"label":"setosa"'), ("[{}]", 1, "invalid_instances")):
            code = f"node examples/node/predict.mjs flowers '{rows}'"
            done = run(Snippet("bash", code, None), address, tmp_path / "work")
            assert done.returncode == status
            assert output in done.stdout + done.stderr


def run_all(pages: list[Path], address: str, folder: Path) -> None:
    """Runs the snippets of pages in one folder."""
    work = folder / "work"
    work.mkdir()
    (work / "examples").symlink_to(ROOT / "examples")
    for snippet in (each for page in pages for each in runnable(page)):
        done = run(snippet, address, work)
        assert done.returncode == 0, f"{snippet.code}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def run(snippet: Snippet, address: str, work: Path) -> "subprocess.CompletedProcess[str]":
    assert WRITTEN in snippet.code or "modelwright " in snippet.code or "://" not in snippet.code
    code = snippet.code.replace(WRITTEN, address)
    command = ["bash", "-c", PREAMBLE + code] if snippet.language == "bash" else [sys.executable, "-c", code]
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment |= {"PYTHON": sys.executable, "PYTHONPATH": str(ROOT), "MODELWRIGHT_URL": address}
    environment["MODELWRIGHT_HOME"] = str(work.with_name("home"))  # the prefix of the service's own URL
    environment["FAIL"] = "" if "did you mean" in code else "--fail-with-body"
    return subprocess.run(  # noqa: S603 - our own documentation
        command, cwd=work, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


def test_the_example_specs_are_valid() -> None:
    blocks = [each for page in PAGES for each in snippets(page) if each.language == "json" and each.mark == "run"]
    assert blocks
    for code in [each.code for each in blocks] + [path.read_text() for path in (ROOT / "examples").glob("*.json")]:
        parse(json.loads(code))
