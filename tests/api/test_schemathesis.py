"""The service against its own OpenAPI document, by schemathesis: every answer declared and as declared, what the document
allows taken, what it forbids refused, never an error of the server. `tests/api/fuzz/schemathesis.toml` says how.

CASES (20) are sent to each operation; scripts/nightly sends 2,000, and in more phases.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.conftest import train
from tests.api.live_server import LiveServer

ROOT = Path(__file__).parents[2]
CONFIG = Path(__file__).parent / "fuzz" / "schemathesis.toml"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveServer, str]]:
    """A server that may be filled with anything, and the job that has made the model `line` in it."""
    server = LiveServer(tmp_path_factory.mktemp("fuzzed") / "home")
    try:
        with server.client() as http:
            yield server, train(http, "line")["id"]
    finally:
        server.stop()


def test_the_service_is_as_its_document_says(own: tuple[LiveServer, str], tmp_path: Path) -> None:
    server, job = own
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG), "run"]
    command += [f"{server.url}/openapi.json", "--no-color", "--phases", os.environ.get("PHASES", "examples,fuzzing")]
    command += ["--max-examples", os.environ.get("CASES", "20"), "--continue-on-failure"]
    done = subprocess.run(  # noqa: S603 - our own
        command,
        cwd=tmp_path,  # it leaves a cache there
        env=os.environ | {"JOB": job, "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ERROR" not in server.log(), server.log()
