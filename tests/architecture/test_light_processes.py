"""The supervisor and the worker that runs the trainings start quickly and take little memory."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "fastapi", "starlette", "uvicorn", "polars"}


@pytest.mark.parametrize("module", ["service.processes.supervisor", "service.processes.worker", "service.startup"])
def test_they_load_neither_torch_nor_fastapi(module: str) -> None:
    command = [sys.executable, "-c", f"import sys\nimport {module}\nprint(*sys.modules)"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603 - our own
    assert not HEAVY & set(done.stdout.split())
