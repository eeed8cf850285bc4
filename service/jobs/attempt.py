"""The trainer's side of one attempt: what the work reports to the runner, and requests of it."""

import contextlib
import math
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

from service.jobs.errors import SOFTWARE_ERROR, AttemptFailed, AttemptLeft, AttemptPutOff, AttemptSuperseded

# Seconds: together with the message of a checkpoint at most 20 reports a second, however fast the epochs are.
BETWEEN_REPORTS = 0.055


class AttemptChannel(Protocol):
    """What an executor gives an attempt to exchange JSON values with the runner. A message has one of these keys:

    | from the attempt | meaning |
    |---|---|
    | `series`, with `progress` | metrics of the epochs since the last such message, by name |
    | `message` | a line of text for those who follow the job |
    | `stage`, with `began` and `ended` in Unix time | it has left a stage of its work |
    | `saved` | it has a checkpoint, of this epoch |
    | `fetch` | fetch what its job reads. It waits for the answer |
    | `publish`: `manifest`, `files` (names in its folder), `summaries` | publish its version. It waits for the answer |
    | `result`, `error`, `put_off` with `unpublished`, `left` | the last: how it went; none of these, and it has crashed |

    | from the runner | meaning |
    |---|---|
    | `leave` | save a checkpoint and end |
    | `answer`; `failed`; `put_off` with `unpublished` | the answer to `fetch` or `publish` |
    | `superseded` | it may not publish: the job is no longer this attempt's |
    """

    def send(self, value: object, /) -> None:
        """Sends one value. Raises OSError when the runner is gone."""

    def receive_now(self) -> list[Any] | None:
        """The values that have arrived; does not wait. None when the runner is gone."""

    def receive_one(self) -> Any:
        """Waits for one value. Raises EOFError when the runner is gone."""


class Attempt:
    """Passed to the work; lives in the attempt's own process.

    Attributes:
        job: what the runner and the executor have described: `id`, `spec`, `context`, `attempt` and others, by name.
    """

    def __init__(self, channel: AttemptChannel, job: dict[str, Any]) -> None:
        self.job = job
        self._channel = channel
        self._series: dict[str, list[Any]] = {}
        self._began = self._reported = 0.0
        self._epochs = self._samples = self._before = 0
        self._leaves = False
        self._stage: tuple[str, float, float] | None = None  # its name, and when it began by both clocks

    def stage(self, name: str | None) -> None:
        """Begins a stage of the work, or none, and reports how long the one before took."""
        if self._stage is not None:
            before, began, ticks = self._stage
            # By the monotonic clock, so that no stage ends before it has begun.
            self._channel.send({"stage": before, "began": began, "ended": began + time.monotonic() - ticks})
        self._stage = None if name is None else (name, time.time(), time.monotonic())

    def expect(self, epochs: int, samples: int, done: int = 0) -> None:
        """Says how many epochs there will be, of how many samples each, and how many earlier attempts have done."""
        self._epochs, self._samples, self._before = epochs, samples, done
        self._began = time.monotonic()

    def epoch(self, number: int, values: dict[str, float]) -> None:
        """Reports the metrics of an epoch; several are sent together."""
        self._series.setdefault("epoch", []).append(number)
        for name, value in values.items():
            self._series.setdefault(name, []).append(value if math.isfinite(value) else None)
        now = time.monotonic()
        if now - self._reported >= BETWEEN_REPORTS or number == self._epochs:
            self._reported = now
            self.flush()

    def flush(self) -> None:
        """Sends what has not been sent yet."""
        if self._series:
            done = self._series["epoch"][-1]
            self._channel.send({"series": self._series, "progress": self._progress(done)})
            self._series = {}

    def message(self, text: str) -> None:
        """Sends a line of text to those who follow the job."""
        self._channel.send({"message": text})

    def saved(self, epoch: int) -> None:
        """Reports a checkpoint: a later attempt continues after this epoch."""
        self._channel.send({"saved": epoch})

    def asked_to_leave(self) -> bool:
        """Whether the attempt shall save a checkpoint and end; also when the runner is gone. Does not wait."""
        if not self._leaves:
            messages = self._channel.receive_now()
            self._leaves = messages is None or any("leave" in each for each in messages)
        return self._leaves

    def fetch(self) -> dict[str, Any]:
        """What the job reads, in local files that stay until the attempt has ended.

        Raises:
            AttemptFailed, AttemptPutOff: it cannot be fetched.
        """
        return self._request({"fetch": True})

    def publish(
        self,
        manifest: Mapping[str, Any],
        files: Iterable[str],
        summaries: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    ) -> dict[str, Any]:
        """Publishes the job's version; the job's result.

        Args:
            manifest: of the version, JSON.
            files: their names in the attempt's folder.
            summaries: what is kept beside the files, JSON.

        Raises:
            AttemptSuperseded: it may not; the job was cancelled or given to another attempt.
            AttemptFailed, AttemptPutOff: it cannot be published.
        """
        self.flush()
        return self._request({"publish": {"manifest": manifest, "files": list(files), "summaries": dict(summaries)}})

    def _request(self, request: dict[str, Any]) -> dict[str, Any]:
        self._channel.send(request)
        while True:
            try:
                message = self._channel.receive_one()
            except EOFError:
                raise AttemptSuperseded from None
            if "answer" in message:
                answer: dict[str, Any] = message["answer"]
                return answer
            if "failed" in message:
                raise AttemptFailed(**message["failed"])
            if "put_off" in message:
                raise AttemptPutOff(**message["put_off"], unpublished=message["unpublished"])
            if "superseded" in message:
                raise AttemptSuperseded
            self._leaves = self._leaves or "leave" in message

    def _progress(self, done: int) -> dict[str, Any]:
        took, ours = max(time.monotonic() - self._began, 1e-9), max(done - self._before, 0)
        return {
            "epoch": done,
            "epochs": self._epochs,
            "fraction": done / self._epochs,
            "samples_per_second": round(ours * self._samples / took, 1),
            "eta_seconds": round(took / ours * (self._epochs - done), 3) if ours else None,
        }


Work: TypeAlias = Callable[[Attempt], dict[str, Any]]  # what an attempt does; it returns the job's result


def run_attempt(work: Work, channel: AttemptChannel, read_job: Callable[[], dict[str, Any]]) -> int:
    """Runs one attempt in this process and reports how it went.

    Args:
        work: what is to be done.
        channel: to the runner.
        read_job: returns what `Attempt.job` shall hold.

    Returns:
        The exit status.
    """
    try:
        attempt = Attempt(channel, read_job())
        try:
            answer: dict[str, object] = {"result": work(attempt)}
        except AttemptFailed as error:
            answer = {"error": {"code": error.code, "detail": error.detail}}
        except AttemptPutOff as error:
            reason = {"code": error.code, "detail": error.detail}
            answer = {"put_off": reason, "unpublished": error.unpublished}
        except AttemptLeft:
            answer = {"left": True}
        attempt.stage(None)
        attempt.flush()
        channel.send(answer)
    except (AttemptSuperseded, BrokenPipeError, EOFError):
        return 1  # the runner does not wait for this attempt any more
    except Exception:
        traceback.print_exc()
        with contextlib.suppress(OSError):
            channel.send({"error": SOFTWARE_ERROR})
        return 1
    return 0
