"""The worker that runs the trainings starts quickly and takes little memory."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "fastapi", "starlette", "uvicorn", "polars"}


def test_the_training_worker_imports_neither_torch_nor_fastapi() -> None:
    command = [sys.executable, "-c", "import sys\nimport service.processes.worker\nprint(*sys.modules)"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603 - our own
    assert not HEAVY & set(done.stdout.split())
