"""The executor of local processes, forked or each in a new interpreter."""

import os
import signal
from pathlib import Path

from service.jobs.executors.local.executor import LocalExecutor
from tests.jobs.executors.executor_contract import ExecutorContract, job, received, rest, wait_until
from tests.jobs.runners import alive


def local(folder: Path, *, forks: bool) -> LocalExecutor:
    return LocalExecutor(
        entry="tests.jobs.work:work",
        preload=[],
        temporary=folder / "tmp",
        checkpoints=folder / "checkpoints",
        settings={"setting": "value"},
        forks=forks,
        restart_seconds=0.05,
        hung_after=60.0,
    )


class TestForked(ExecutorContract):
    def make(self, folder: Path) -> LocalExecutor:
        return local(folder, forks=True)

    def test_attempts_are_lost_with_their_trainer_server_and_the_next_one_runs_others(self, tmp_path: Path) -> None:
        executor = self.make(tmp_path)
        executor.start()
        wait_until(executor, lambda: executor.ready)
        attempt = executor.start_attempt(job("slow"))
        pid = int(received(executor, attempt, bool)[0]["message"])
        assert executor.pid is not None
        os.kill(executor.pid, signal.SIGKILL)
        rest(executor, attempt)
        assert attempt.exit is not None and attempt.exit.reason == "lost"
        attempt.close()
        wait_until(executor, lambda: executor.ready and not alive(pid))
        again = executor.start_attempt(job("exits"))
        assert rest(executor, again) == []
        executor.close()
        again.close()

    def test_folders_of_abandoned_attempts_are_removed(self, tmp_path: Path) -> None:
        left = tmp_path / "tmp" / "attempts" / "job-2"
        left.mkdir(parents=True)
        executor = self.make(tmp_path)
        executor.abandon("job", 2)
        assert not left.exists()
        executor.close()


class TestSpawned(ExecutorContract):
    def make(self, folder: Path) -> LocalExecutor:
        return local(folder, forks=False)
