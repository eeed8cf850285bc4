"""The thread that advances sweeps: once for all processes of a service, in one of those that answer requests, which have torch
loaded already to plan trainings."""

import contextlib
import fcntl
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from service.jobs.errors import JournalUnavailable

BETWEEN_PASSES = 0.2  # seconds, however often jobs change
LOOK_AGAIN = 1.0  # seconds, while there are sweeps: for changes that nobody has told of
LOOK_FOR_NEW = 5.0  # seconds, while there are none

log = logging.getLogger(__name__)


class Sweeping:
    """Advances sweeps while it holds a lock on a file, which the kernel releases when the process ends. Two services on one
    database may both advance a sweep; its steps are made once.

    Args:
        advance: advances all sweeps as far as they can be, and returns whether there are any.
        lock: the file.
    """

    def __init__(self, advance: Callable[[], bool], lock: Path) -> None:
        self._advance = advance
        self._lock = lock
        self._woken, self._ends = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweeps", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Looks at the sweeps soon. From any thread."""
        self._woken.set()

    def stop(self) -> None:
        """Ends the thread after the step that it is in."""
        self._ends.set()
        self._woken.set()
        self._thread.join()

    def _run(self) -> None:
        seconds = 0.0
        while not self._ends.wait(BETWEEN_PASSES):
            self._woken.wait(seconds)
            self._woken.clear()
            if not self._ends.is_set():
                seconds = LOOK_AGAIN if self._pass() else LOOK_FOR_NEW

    def _pass(self) -> bool:
        try:
            with self._alone() as alone:
                return alone and self._advance()
        except (JournalUnavailable, OSError) as error:
            log.warning("sweeps wait: %s", error)
        except Exception:
            log.exception("the sweeps could not be advanced; it is tried again")
        return True

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        """Whether no other process of this service advances sweeps at this moment."""
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
