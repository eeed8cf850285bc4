"""A fair lock for writers of SQLite. SQLite lets one connection write at a time, and those that wait poll: while other threads
write without a break, one of them might never find the database free."""

import threading
from collections import deque
from types import TracebackType
from typing import Self
from weakref import WeakKeyDictionary

from sqlalchemy import Engine

from service.jobs.errors import JournalUnavailable

MOST_SECONDS = 30.0  # that a thread waits for the lock


class FairLock:
    """A lock among the threads of this process, acquired in the order of the requests."""

    def __init__(self) -> None:
        self._released = threading.Condition()
        self._queue: deque[object] = deque()  # the thread that holds the lock, and those that wait

    def __enter__(self) -> Self:
        """Acquires the lock.

        Raises:
            JournalUnavailable: it was not free in time.
        """
        mine = object()
        with self._released:
            self._queue.append(mine)
            if not self._released.wait_for(lambda: self._queue[0] is mine, MOST_SECONDS):
                self._queue.remove(mine)
                raise JournalUnavailable
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Passes the lock to the thread that has waited longest."""
        with self._released:
            self._queue.popleft()
            self._released.notify_all()


_of_engines: WeakKeyDictionary[Engine, FairLock] = WeakKeyDictionary()
_lock = threading.Lock()


def write_lock_of(engine: Engine) -> FairLock | None:
    """The lock of this engine's writers; None for a database that lets several write at a time."""
    if engine.dialect.name != "sqlite":
        return None
    with _lock:
        return _of_engines.setdefault(engine, FairLock())
