"""A lock that is given in the order in which it is asked for. SQLite lets one connection write at a time, and the others look
again now and then: of threads that write one after the other without a break, one that waits might never find it free."""

import threading
from collections import deque
from types import TracebackType
from typing import Self
from weakref import WeakKeyDictionary

from sqlalchemy import Engine

from service.jobs.errors import JournalUnavailable

MOST_SECONDS = 30.0  # for which anybody waits for his turn


class FairLock:
    """A lock among the threads of this process that is given in the order in which it is asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Lock] = deque()

    def __enter__(self) -> Self:
        """Waits for the turn.

        Raises:
            JournalUnavailable: it did not come in time.
        """
        with self._lock:
            if not self._taken:
                self._taken = True
                return self
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        if not mine.acquire(timeout=MOST_SECONDS):
            with self._lock:
                if mine in self._waiting:
                    self._waiting.remove(mine)
                    raise JournalUnavailable
        return self  # else it came at the very last moment

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Gives the turn to whoever has waited longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False


_of_engines: WeakKeyDictionary[Engine, FairLock] = WeakKeyDictionary()
_lock = threading.Lock()


def write_lock_of(engine: Engine) -> FairLock | None:
    """Those of all who write through this engine; none where the database lets several write at a time."""
    if engine.dialect.name != "sqlite":
        return None
    with _lock:
        return _of_engines.setdefault(engine, FairLock())
