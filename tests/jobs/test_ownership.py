import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.jobs.ownership import Ownership

ROOT = Path(__file__).parents[2]
HOLD = """
import sys, time
from pathlib import Path
from service.jobs.ownership import Ownership
print(Ownership(Path(sys.argv[1])).owner, flush=True)
time.sleep(60)
"""


def test_a_killed_process_is_detected_at_once(tmp_path: Path) -> None:
    ours = Ownership(tmp_path)
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT) as process:  # noqa: S603 - our own code
        assert process.stdout is not None
        theirs = process.stdout.readline().decode().strip()
        assert not ours.dead(theirs)
        process.kill()
        process.wait()
        assert ours.dead(theirs)
    assert ours.others() == [theirs]
    ours.forget(theirs)
    assert not ours.dead(theirs)
    ours.close()
    assert list(tmp_path.iterdir()) == []


def test_a_remote_service_is_not_reported_dead(tmp_path: Path) -> None:
    ours, other = Ownership(tmp_path), Ownership(tmp_path / "elsewhere")
    assert not ours.dead(other.owner)
    other.close()
    assert not ours.dead(other.owner)
    assert not ours.dead(ours.owner)
    ours.close()


def test_a_released_name_leaves_no_file(tmp_path: Path) -> None:
    ours, other = Ownership(tmp_path), Ownership(tmp_path)
    assert ours.others() == [other.owner]
    other.close()
    assert ours.others() == []
    ours.close()


def test_an_owner_that_starts_during_a_cleanup_keeps_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = Ownership(tmp_path)
    path = tmp_path / "0123456789abcdef"
    path.touch()
    held: list[int] = []
    real = fcntl.flock

    def late(descriptor: int, operation: int) -> None:
        if not held:  # between open and lock, the file was removed and recreated by its owner
            monkeypatch.undo()
            path.unlink()
            held.append(os.open(path, os.O_CREAT | os.O_RDWR))
            real(held[0], fcntl.LOCK_EX)
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    ours.forget(path.name)
    assert path.exists()
    assert not ours.dead(path.name)
    os.close(held[0])
    assert ours.dead(path.name)
    ours.close()
