"""Real runners with real trainer servers, and functions to use them."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from service.jobs.executors.local.executor import LocalExecutor
from service.jobs.job import Job
from service.jobs.job_queue import JobQueue
from service.jobs.journal import Journal
from service.jobs.leases import LeaseTimes
from service.jobs.ownership import Ownership
from service.jobs.runner import Runner
from service.jobs.store_requests import AttemptStore, Summaries
from tests.harness.until import until

FORKED_OR_SPAWNED = pytest.mark.parametrize(
    "forks", [pytest.param(True, id="forked"), pytest.param(False, id="spawned")]
)
RESTART_SECONDS = 0.05
PATIENT = LeaseTimes(allowed=600.0, expired=600.0)  # a busy machine may pause for some seconds


class EmptyStore(AttemptStore):
    """A store that has nothing and takes everything."""

    def fetch(self, job: Job, files: ExitStack) -> dict[str, Any]:
        return {}

    def publish(
        self, job: Job, manifest: Mapping[str, Any], files: Mapping[str, Path], summaries: Summaries
    ) -> dict[str, Any]:
        return {}


class LocalRunner(Runner):
    """A runner on this machine whose trainer server can be killed by tests."""

    def __init__(
        self, queue: JobQueue, ownership: Ownership, executor: LocalExecutor, store: AttemptStore, **more: Any
    ) -> None:
        super().__init__(queue, ownership, executor, store, **more)
        self.owner = ownership.owner
        self._local = executor
        self._stopped = False

    @property
    def trainer_pid(self) -> int | None:
        return self._local.pid

    def stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            super().stop()


Start = Callable[..., LocalRunner]


@pytest.fixture
def start(engine: Engine, tmp_path: Path) -> Iterator[Start]:
    """Starts a runner; at the end, its descriptors must be closed and its processes gone."""
    before = set(os.listdir("/proc/self/fd")) if sys.platform == "linux" else set()  # noqa: PTH208 - names only
    pids: set[int] = set()
    with ExitStack() as cleanup:

        def start(
            *,
            entry: str = "tests.jobs.work:work",
            slots: int = 2,
            forks: bool = True,
            hung_after: float = 60.0,
            patience: float = 900.0,
            executor: type[LocalExecutor] = LocalExecutor,
            store: AttemptStore | None = None,
            **more: Any,
        ) -> LocalRunner:
            ownership = Ownership(tmp_path / "owners")
            local = executor(
                entry=entry,
                preload=[],
                temporary=tmp_path / "tmp",
                checkpoints=tmp_path / "checkpoints",
                settings={"setting": "value"},
                forks=forks,
                restart_seconds=RESTART_SECONDS,
                hung_after=hung_after,
            )
            queue = JobQueue(engine, first_back_off=0.05, patience=patience)
            options: dict[str, Any] = {"lease": PATIENT, "tick": 0.05, "grace": 1.0} | more
            runner = LocalRunner(queue, ownership, local, store or EmptyStore(), slots=slots, **options)
            runner.start()
            pids.add(runner.trainer_pid or 0)
            cleanup.callback(ownership.close)
            cleanup.callback(runner.stop)
            return runner

        yield start
    assert not [pid for pid in pids if alive(pid)]
    assert list((tmp_path / "tmp" / "attempts").glob("*")) == []
    if sys.platform == "linux":
        journal_files = {str(tmp_path / "journal.sqlite") + end for end in ("", "-wal", "-shm")}

        def left() -> dict[str, str]:
            opened = {fd: target(fd) for fd in set(os.listdir("/proc/self/fd")) - before}  # noqa: PTH208 - names only
            return {fd: to for fd, to in opened.items() if to and to not in journal_files}

        until(lambda: not left())  # a thread of a store that hangs may still be in a request


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
