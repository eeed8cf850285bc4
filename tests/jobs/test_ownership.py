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


def test_a_killed_process_is_seen_at_once(tmp_path: Path) -> None:
    ours = Ownership(tmp_path)
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT) as process:  # noqa: S603 - our own code
        assert process.stdout is not None
        theirs = process.stdout.readline().decode().strip()
        assert ours.alive(theirs)
        process.kill()
        process.wait()
        assert not ours.alive(theirs)
    assert not (tmp_path / theirs).exists()
    assert not ours.alive(theirs)
    ours.close()


def test_one_that_gave_up_its_name_is_not_alive(tmp_path: Path) -> None:
    ours, other = Ownership(tmp_path), Ownership(tmp_path)
    assert ours.alive(other.owner)
    other.close()
    assert not ours.alive(other.owner)
    ours.close()
    assert list(tmp_path.iterdir()) == []


def test_one_that_begins_while_somebody_looks_is_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = Ownership(tmp_path)
    path = tmp_path / "0123456789abcdef"
    path.touch()
    held: list[int] = []
    real = fcntl.flock

    def late(descriptor: int, operation: int) -> None:
        if (
            not held
        ):  # between the look at the file and its lock another look has removed it, and its owner made it anew
            monkeypatch.undo()
            path.unlink()
            held.append(Ownership._hold(path))
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    assert ours.alive(path.name)
    assert path.exists()
    os.close(held[0])
    ours.close()


def test_a_start_removes_what_the_dead_have_left_and_nothing_else(tmp_path: Path) -> None:
    living = Ownership(tmp_path)
    (tmp_path / "0123456789abcdef").touch()
    ours = Ownership(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {living.owner, ours.owner}
    living.close()
    ours.close()
