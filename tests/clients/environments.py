"""The virtual environment of other servers' clients: created on first use, beside `.venv`, and kept for the next run.

It takes a minute, most of it downloads: a separate process installs it while earlier tests run.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
WANTED = HERE / "requirements.txt"
ENVIRONMENT = ROOT / ".venv-clients"
PYTHON = ENVIRONMENT / "bin" / "python"
INSTALL_SECONDS = 900
RUN_SECONDS = 120


def run(client: str, *arguments: str) -> Any:
    """Runs `with_<client>.py` in that environment, without our packages, and returns the JSON that it prints. The tests
    are skipped where the client cannot be installed, and fail with CLIENT_TESTS=required."""
    installation = begin()
    if installation.wait():
        assert installation.stderr is not None
        _without(f"{WANTED.name} does not install: {installation.stderr.read()[-300:]}")
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(  # noqa: S603 - our own
        [str(PYTHON), str(HERE / f"with_{client}.py"), *arguments],
        cwd=HERE,
        env=environment,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@cache
def begin() -> subprocess.Popen[str]:
    """Starts the process that installs what is missing."""
    command = [sys.executable, __file__]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)  # noqa: S603 - our own


def end() -> None:
    """Ends the installation if it is still running."""
    if begin.cache_info().currsize:
        with begin() as installation:
            if installation.poll() is None:
                os.killpg(installation.pid, signal.SIGKILL)  # with the pip processes below it


def install() -> None:
    """Creates the environment unless it exists."""
    with WANTED.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test process may be installing
        stamp, state = ENVIRONMENT / ".installed", f"{sys.version}\n{lock.read()}"
        if stamp.exists() and stamp.read_text() == state:
            return
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        # With the pip and without the compiled modules: nine tenths of them are never imported.
        venv = [sys.executable, "-m", "venv", "--without-pip", str(ENVIRONMENT)]
        pip = [sys.executable, "-m", "pip", "--python", str(PYTHON), "--disable-pip-version-check", "install"]
        for command in (venv, [*pip, "--quiet", "--no-compile", "-r", str(WANTED)]):
            done = subprocess.run(  # noqa: S603 - our own
                command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
            )
            if done.returncode != 0:
                sys.exit(done.stderr)
        stamp.write_text(state)


def _without(reason: str) -> NoReturn:
    if os.environ.get("CLIENT_TESTS") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


if __name__ == "__main__":
    install()
