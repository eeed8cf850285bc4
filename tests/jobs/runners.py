"""Real runners with real trainers, and what tests ask of them."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from service.jobs import job_queue as dispatch_module
from service.jobs import leases as leases_module
from service.jobs import runner as runner_module
from service.jobs.job import Job
from service.jobs.job_queue import Dispatch
from service.jobs.journal import Journal
from service.jobs.ownership import Ownership
from service.jobs.runner import Runner
from tests.harness.until import until

Start = Callable[..., Runner]
WAYS = pytest.mark.parametrize("forks", [pytest.param(True, id="forked"), pytest.param(False, id="spawned")])


@pytest.fixture
def start(dispatch: Dispatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts a runner; what it has opened must be closed again at the end, and its processes gone."""
    monkeypatch.setattr(runner_module, "TICK", 0.05)
    monkeypatch.setattr(runner_module, "BETWEEN_RESTARTS", 0.05)
    monkeypatch.setattr(runner_module, "GRACE", 1.0)
    monkeypatch.setattr(dispatch_module, "FIRST_BACK_OFF", 0.05)
    for patience in ("ALLOWED", "EXPIRED"):  # a busy machine may stand still for some seconds, and nobody is dead
        monkeypatch.setattr(leases_module, patience, 600.0)
    before = set(os.listdir("/proc/self/fd")) if sys.platform == "linux" else set()  # noqa: PTH208 - names only
    pids: set[int] = set()
    with ExitStack() as cleanup:

        def start(*, entry: str = "tests.jobs.work:work", slots: int = 2, **more: Any) -> Runner:
            ownership = Ownership(tmp_path / "owners")
            runner = Runner(
                dispatch,
                ownership,
                entry=entry,
                preload=[],
                temporary=tmp_path / "tmp",
                checkpoints=tmp_path / "checkpoints",
                slots=slots,
                surroundings={"told": "so"},
                **more,
            )
            runner.start()
            pids.add(runner.trainer_pid or 0)
            cleanup.callback(ownership.close)
            cleanup.callback(stop_once, runner)
            return runner

        yield start
    assert not [pid for pid in pids if alive(pid)]
    assert list((tmp_path / "tmp" / "attempts").glob("*")) == []
    if sys.platform == "linux":
        journal_files = {str(tmp_path / "journal.sqlite") + end for end in ("", "-wal", "-shm")}
        opened = {fd: target(fd) for fd in set(os.listdir("/proc/self/fd")) - before}  # noqa: PTH208 - names only
        assert not {fd: to for fd, to in opened.items() if to and to not in journal_files}


def stop_once(runner: Runner) -> None:
    if runner._thread.is_alive():
        runner.stop()


def target(descriptor: str) -> str | None:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115 - no path
    except OSError:
        return None


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False


def submit(journal: Journal, runner: Runner | None, do: str, **more: Any) -> str:
    job, _ = journal.submit("line", {"do": do} | more, {})
    if runner is not None:
        runner.wake()
    return job.id


def ended(journal: Journal, job_id: str) -> Job:
    return until(lambda: job if (job := journal.get(job_id)).final else None)  # type: ignore[no-any-return]


def messages(journal: Journal, job_id: str) -> list[str]:
    return [event.data["text"] for event in journal.events(job_id) if event.type == "message"]
