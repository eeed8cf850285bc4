"""What every executor must do. The test of an executor is a subclass; its attempts run `tests/jobs/work.py`."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from service.jobs.executors.executor import AttemptHandle, Executor
from tests.harness.until import until

Begin = Callable[..., AttemptHandle]


class ExecutorContract:
    """Subclasses override `make`."""

    def make(self, folder: Path) -> Executor:
        """An executor whose work is `tests.jobs.work:work`, with the settings `{"setting": "value"}`."""
        raise NotImplementedError

    @pytest.fixture
    def handles(self) -> Iterator[list[AttemptHandle]]:
        """The handles of all attempts, closed after the executor."""
        handles: list[AttemptHandle] = []
        yield handles
        for each in handles:
            each.close()

    @pytest.fixture
    def executor(self, tmp_path: Path, handles: list[AttemptHandle]) -> Iterator[Executor]:
        executor = self.make(tmp_path)
        with contextlib.closing(executor):
            executor.start()
            wait_until(executor, lambda: executor.ready)
            yield executor

    @pytest.fixture
    def begin(self, executor: Executor, handles: list[AttemptHandle]) -> Begin:
        """Starts an attempt that runs this function of `tests.jobs.work`."""

        def begin(do: str, **more: Any) -> AttemptHandle:
            handles.append(executor.start_attempt(job(do, **more)))
            return handles[-1]

        return begin

    def test_an_attempt_gets_its_job_and_its_messages_arrive_in_order(self, executor: Executor, begin: Begin) -> None:
        attempt = begin("quick", attempt=3)
        messages = received(executor, attempt, lambda found: "publish" in found[-1])
        attempt.answer({"answer": {}})
        messages += rest(executor, attempt)
        series = [epoch for each in messages if "series" in each for epoch in each["series"]["epoch"]]
        assert series == [1, 2, 3]
        names = [next(iter(each)) for each in messages if "series" not in each]
        assert names == ["message", "publish", "result"]
        assert messages[-1]["result"].items() >= {"attempt": 3, "setting": "value"}.items()
        assert attempt.exit is not None and attempt.exit.reason == "exited"
        assert attempt.receive() == []

    def test_an_attempt_that_may_not_publish_does_not_succeed(self, executor: Executor, begin: Begin) -> None:
        attempt = begin("quick")
        messages = received(executor, attempt, lambda found: "publish" in found[-1])
        attempt.answer({"superseded": True})
        assert not [each for each in messages + rest(executor, attempt) if "result" in each]

    def test_an_attempt_saves_and_ends_on_request(self, executor: Executor, begin: Begin) -> None:
        attempt = begin("ends_on_request")
        received(executor, attempt, lambda found: "message" in found[-1])
        attempt.ask_to_leave()
        assert rest(executor, attempt) == [{"saved": 1}, {"left": True}]

    def test_a_killed_attempt_ends_and_others_continue(self, executor: Executor, begin: Begin) -> None:
        killed, other = begin("slow"), begin("ends_on_request", job_id="other")
        received(executor, killed, bool)
        killed.kill()
        rest(executor, killed)
        assert killed.exit is not None and killed.exit.reason == "exited"
        assert other.exit is None
        other.ask_to_leave()
        assert rest(executor, other)[-1] == {"left": True}

    def test_an_attempt_killed_before_it_starts_does_not_start_or_ends(self, executor: Executor, begin: Begin) -> None:
        attempt = begin("slow")
        attempt.kill()
        rest(executor, attempt)

    def test_the_resource_usage_of_a_running_attempt_is_reported(self, executor: Executor, begin: Begin) -> None:
        attempt = begin("allocates_memory")
        wait_until(executor, lambda: (used := attempt.usage()) is not None and used.memory_bytes > 200 * 2**20)
        usage = attempt.usage()
        assert usage is not None and usage.free_disk_bytes > 0
        attempt.kill()
        rest(executor, attempt)
        assert attempt.usage() is None

    def test_temporary_files_of_an_attempt_are_counted_and_removed(self, executor: Executor, begin: Begin) -> None:
        attempt = begin("holds_files_once", named=True)
        wait_until(executor, lambda: attempt.temporary_bytes() >= 2**21)
        attempt.kill()
        rest(executor, attempt)
        attempt.close()
        attempt.close()
        assert attempt.temporary_bytes() == 0

    def test_messages_wait_until_they_are_received(self, executor: Executor, begin: Begin) -> None:
        attempt = begin("large", rows="x" * 5_000_000)
        wait_until(executor, lambda: executor.wait(1.0) == [attempt])
        executor.wait(0.0)  # without receiving them
        assert attempt.exit is None
        message, result = rest(executor, attempt)
        assert (len(message["message"]), result["result"]) == (5_000_000, {"length": 5_000_000})

    def test_an_attempt_ends_when_its_lease_does(self, executor: Executor, begin: Begin) -> None:
        executor.extend_lease(time.monotonic() + 600.0)
        attempt = begin("slow")
        received(executor, attempt, bool)
        executor.extend_lease(time.monotonic())
        rest(executor, attempt)
        assert attempt.exit is not None and attempt.exit.reason == "fenced"

    def test_checkpoints_are_kept_between_attempts_until_discarded(self, executor: Executor, begin: Begin) -> None:
        for number, found in ((1, [{"saved": 1}]), (2, [{"result": {"found": ["there"]}}])):
            attempt = begin("saves_and_dies_once", attempt=number)
            assert rest(executor, attempt) == found
            attempt.close()
        executor.discard_checkpoints("job")
        attempt = begin("saves_and_dies_once", attempt=2)
        assert "error" in rest(executor, attempt)[-1]

    def test_wait_ends_on_wake_or_timeout(self, executor: Executor) -> None:
        executor.wait(0.0)
        executor.wake()
        began = time.monotonic()
        assert executor.wait(600.0) == []
        assert executor.wait(0.01) == []
        assert time.monotonic() - began < 300

    def test_an_abandoned_attempt_reports_no_error(self, executor: Executor) -> None:
        executor.abandon("unknown", 1)
        executor.discard_checkpoints("unknown")

    def test_closing_an_executor_kills_its_attempts(self, tmp_path: Path) -> None:
        executor = self.make(tmp_path)
        executor.start()
        wait_until(executor, lambda: executor.ready)
        attempt = executor.start_attempt(job("slow"))
        received(executor, attempt, bool)
        executor.close()
        attempt.close()
        assert attempt.usage() is None


def job(do: str, *, attempt: int = 1, job_id: str = "job", **more: Any) -> dict[str, Any]:
    """A job that runs this function of `tests.jobs.work`."""
    return {"id": job_id, "attempt": attempt, "spec": {"do": do} | more, "context": {}}


def wait_until(executor: Executor, reached: Callable[[], Any]) -> None:
    """Run the executor until the condition holds."""
    until(lambda: reached() or executor.wait(0.01) is None)


def received(executor: Executor, attempt: AttemptHandle, reached: Callable[[list[Any]], Any]) -> list[Any]:
    """The messages until `reached` holds, which is called when there is at least one."""
    messages: list[Any] = []
    wait_until(executor, lambda: take(attempt, messages) and reached(messages))
    return messages


def rest(executor: Executor, attempt: AttemptHandle) -> list[Any]:
    """All further messages until the attempt has ended."""
    messages: list[Any] = []
    wait_until(executor, lambda: attempt.exit is not None or take(attempt, messages) is None)
    return take(attempt, messages)


def take(attempt: AttemptHandle, messages: list[Any]) -> list[Any]:
    """Append the received messages."""
    messages += attempt.receive()
    return messages
