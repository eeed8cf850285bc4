"""A backend in memory whose callers take turns, one call each, in an order drawn by chance: races that can be repeated."""

import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.model_store.memory_backend import MemoryBackend


class TurnsBackend(MemoryBackend):
    """Every call of a thread of `in_turns` waits until it is that thread's turn; other threads do not wait."""

    def __init__(self) -> None:
        super().__init__()
        self._local = threading.local()
        self.step = 0

    def read(self, key: str) -> bytes:
        self._wait()
        return super().read(key)

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

    def in_turns(self, works: list[Callable[[], Any]], dice: random.Random) -> list[Any]:
        """What the works answer, each in a thread of its own."""
        answers: list[Any] = [None] * len(works)
        turns = [_Turn() for _ in works]

        def run(number: int) -> None:
            self._local.turn = turns[number]
            turns[number].mine.acquire()
            try:
                answers[number] = works[number]()
            except BaseException as error:
                answers[number] = error
            turns[number].ended = True
            turns[number].back.release()

        threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(len(works))]
        for thread in threads:
            thread.start()
        while waiting := [turn for turn in turns if not turn.ended]:
            turn = dice.choice(waiting)
            self.step += 1
            turn.mine.release()
            turn.back.acquire()
        for thread in threads:
            thread.join()
        return answers

    def _wait(self) -> None:
        turn = getattr(self._local, "turn", None)
        if turn is not None:
            turn.back.release()
            turn.mine.acquire()


class _Turn:
    def __init__(self) -> None:
        self.mine = threading.Semaphore(0)
        self.back = threading.Semaphore(0)
        self.ended = False
