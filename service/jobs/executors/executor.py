"""The interface between the runner and what runs attempts, such as processes of this machine."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple


class Exit(NamedTuple):
    """How an attempt ended: by itself or killed (`exited`), because its lease expired (`fenced`), or together with what ran it
    (`lost`)."""

    reason: Literal["exited", "fenced", "lost"]
    detail: str  # for people: `exit status 3`, `signal 9`


class Usage(NamedTuple):
    """What an attempt and the processes that it has started use now."""

    memory_bytes: int  # resident; what they share is counted once
    free_disk_bytes: float  # left of the disk that has its temporary files


class AttemptHandle(ABC):
    """One attempt that an executor runs. Used by the runner's thread only.

    Attributes:
        exit: how it ended; None while it runs.
    """

    exit: Exit | None = None

    @abstractmethod
    def receive(self) -> Sequence[dict[str, Any]]:
        """The messages that have arrived since the last call, in order; does not wait. Once `exit` is set, one call returns
        all that are left. Messages that the runner does not receive hold the attempt up and are never dropped."""

    @abstractmethod
    def ask_to_leave(self) -> None:
        """Asks it to save a checkpoint and end."""

    @abstractmethod
    def answer(self, answer: dict[str, Any]) -> None:
        """Sends it the answer to a request."""

    @abstractmethod
    def local_file(self, name: str) -> Path:
        """A file in the attempt's folder, on the disk of the runner. Stays until `close`."""

    @abstractmethod
    def kill(self) -> None:
        """Ends it and every process that it has started; at once, or as soon as it has started."""

    @abstractmethod
    def usage(self) -> Usage | None:
        """What it uses; None before it has started and after it has ended."""

    @abstractmethod
    def temporary_bytes(self) -> int:
        """Bytes of disk that its temporary files take. Slower than `usage`."""

    @abstractmethod
    def close(self) -> None:
        """Releases what belongs to an attempt that has ended, its temporary files included. May be called again."""


class Executor(ABC):
    """Starts attempts and reports what they send and how they end. Used by the runner's thread only, but for `start` and for
    the methods that say otherwise."""

    @property
    @abstractmethod
    def ready(self) -> bool:
        """Whether attempts can be started now. From any thread."""

    @abstractmethod
    def start(self) -> None:
        """Prepares to run attempts. From a thread that lives as long as this process."""

    @abstractmethod
    def start_attempt(self, job: dict[str, Any]) -> AttemptHandle:
        """Starts an attempt while the executor is `ready`.

        Args:
            job: what `Attempt.job` shall hold, JSON values only; among them `id` and `attempt`, its number.

        Raises:
            OSError: it cannot be started; with ENOSPC or EDQUOT for want of disk space.
        """

    @abstractmethod
    def wait(self, seconds: float) -> Sequence[AttemptHandle]:
        """Waits for attempts that have sent messages or ended, and returns them; none after so many seconds or after `wake`.
        To be called at least once a second."""

    @abstractmethod
    def wake(self) -> None:
        """Ends a call of `wait`. From any thread and from signal handlers."""

    @abstractmethod
    def extend_lease(self, until: float) -> None:
        """Lets all attempts run until then, by the clock of `time.monotonic`. They are ended at that moment unless the lease
        is extended again, even when this process hangs or is gone. From any thread."""

    @abstractmethod
    def abandon(self, job_id: str, attempt: int) -> None:
        """Removes what is left here of an attempt whose service is gone."""

    @abstractmethod
    def discard_checkpoints(self, job_id: str) -> None:
        """Removes the checkpoints of a job that has ended."""

    @abstractmethod
    def close(self) -> None:
        """Kills all attempts. Their handles can still be closed."""
