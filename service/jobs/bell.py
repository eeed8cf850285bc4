"""Rings when a job changes, so that who waits for it in this process need not ask again and again."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Bell:
    """Wakes the coroutines that listen to a job. Rung from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.closed = False
        self._listeners: dict[str, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = defaultdict(set)

    def ring(self, job_id: str) -> None:
        """Wakes all that listen to this job."""
        with self._lock:
            for loop, rung in self._listeners.get(job_id, ()):
                with suppress(RuntimeError):  # that loop is closed, and nobody listens any more
                    loop.call_soon_threadsafe(rung.set)

    def close(self) -> None:
        """The service is about to stop: who waits gives up when he next looks. Takes no lock: for signal handlers."""
        self.closed = True

    @contextmanager
    def listen(self, job_id: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever the job changes. Clear it before looking at the job."""
        listener = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._listeners[job_id].add(listener)
        try:
            yield listener[1]
        finally:
            with self._lock:
                self._listeners[job_id].discard(listener)
                if not self._listeners[job_id]:
                    del self._listeners[job_id]
