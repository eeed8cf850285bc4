"""A real service, as a reader of the documentation would start it."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

ADDRESS = re.compile(r"(http://127\.0\.0\.1:[1-9]\d*)\D")  # to its end: the line may still be on its way


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where a fresh service answers."""
    log = tmp_path / "service.log"
    command = [sys.executable, "-m", "service", "serve", "--port", "0", "--home", str(tmp_path / "home")]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)  # noqa: S603 - our own command
    try:
        deadline = time.monotonic() + 180
        while not (found := ADDRESS.search(log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield found[1]
        process.terminate()
        assert process.wait(90) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
