"""A few of the points of `scripts/crash-points`."""

import shutil
import subprocess
import sys

import pytest

MODULE = "tests.faults.crash_points.campaign"


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("operation", ["make an alias", "finish, with a webhook"])
def test_operations_are_atomic_under_faults(operation: str) -> None:
    command = [sys.executable, "-m", MODULE, "--operations", operation, "--every", "16"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)  # noqa: S603 - our own
    if "strace cannot trace" in done.stderr:
        pytest.skip("tracing is not permitted here")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"| {operation} |")
