"""Environments of other servers' clients: made on first use, beside `.venv`, and kept for the next run."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
INSTALL_SECONDS = 900
RUN_SECONDS = 120


def run(client: str, *arguments: str) -> Any:
    """What the program `with_<client>.py` prints as JSON, run where that client is installed and nothing of ours."""
    command = [str(_python(client)), str(HERE / f"with_{client}.py"), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(  # noqa: S603 - our own
        command, cwd=HERE, env=environment, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _python(client: str) -> Path:
    """The interpreter of its environment. The tests are skipped where that cannot be installed, and fail with
    CLIENT_TESTS=required."""
    wanted, environment = HERE / f"requirements-{client}.txt", ROOT / f".venv-clients-{client}"
    python = environment / "bin" / "python"
    with wanted.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test process may be at it
        stamp, state = environment / ".installed", f"{sys.version}\n{lock.read()}"
        if stamp.exists() and stamp.read_text() == state:
            return python
        shutil.rmtree(environment, ignore_errors=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(wanted)]
        for command in ([sys.executable, "-m", "venv", str(environment)], pip):
            try:
                subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)  # noqa: S603 - our own
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
                _without(f"{wanted.name} does not install: {str(error.stderr or error)[-300:]}")
        stamp.write_text(state)
    return python


def _without(reason: str) -> NoReturn:
    if os.environ.get("CLIENT_TESTS") == "required":
        pytest.fail(reason)
    pytest.skip(reason)
