"""A backend in memory that runs concurrent callers in a random, reproducible order."""

import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.model_store.memory_backend import MemoryBackend


class InterleavingBackend(MemoryBackend):
    """Runs one call at a time for the threads of `run_interleaved`; other threads do not wait."""

    def __init__(self) -> None:
        super().__init__()
        self._local = threading.local()
        self.step = 0

    def read(self, key: str) -> bytes:
        self._wait()
        return super().read(key)

    def read_range(self, key: str, start: int, stop: int) -> bytes:
        self._wait()
        return super().read_range(key, start, stop)

    def create(self, key: str, data: bytes) -> None:
        self._wait()
        super().create(key, data)

    def create_file(self, key: str, source: Path) -> None:
        self._wait()
        super().create_file(key, source)

    def replace(self, key: str, data: bytes) -> None:
        self._wait()
        super().replace(key, data)

    def names(self, prefix: str) -> list[str]:
        self._wait()
        return super().names(prefix)

    def delete(self, prefix: str) -> None:
        self._wait()
        super().delete(prefix)

    def run_interleaved(self, functions: list[Callable[[], Any]], rng: random.Random) -> list[Any]:
        """Run each function in its own thread, and return what they returned or raised."""
        answers: list[Any] = [None] * len(functions)
        states = [_Thread() for _ in functions]

        def run(number: int) -> None:
            self._local.state = states[number]
            states[number].resume.acquire()
            try:
                answers[number] = functions[number]()
            except BaseException as error:
                answers[number] = error
            states[number].ended = True
            states[number].paused.release()

        threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(len(functions))]
        for thread in threads:
            thread.start()
        while waiting := [state for state in states if not state.ended]:
            state = rng.choice(waiting)
            self.step += 1
            state.resume.release()
            state.paused.acquire()
        for thread in threads:
            thread.join()
        return answers

    def _wait(self) -> None:
        state = getattr(self._local, "state", None)
        if state is not None:
            state.paused.release()
            state.resume.acquire()


class _Thread:
    def __init__(self) -> None:
        self.resume = threading.Semaphore(0)
        self.paused = threading.Semaphore(0)
        self.ended = False
