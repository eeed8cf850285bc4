"""The packages whose tables are used: unpacked on first use into a folder beside `.venv`, and kept for the next run."""

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
FOLDER = Path(__file__).parents[2] / ".venv-public-tables"
INSTALL_SECONDS = 900


def installed() -> Path:
    """The folder in which they are installed, without their dependencies.

    Raises:
        CalledProcessError, TimeoutExpired: they cannot be installed.
    """
    with REQUIREMENTS.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test process may be installing
        stamp, state = FOLDER / ".installed", f"{sys.version}\n{lock.read()}"
        if not stamp.exists() or stamp.read_text() != state:
            shutil.rmtree(FOLDER, ignore_errors=True)
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            what = ["--no-deps", "--no-compile", "--target", str(FOLDER), "--requirement", str(REQUIREMENTS)]
            subprocess.run([*pip, *what], check=True, timeout=INSTALL_SECONDS)  # noqa: S603 - our own
            stamp.write_text(state)
    return FOLDER
