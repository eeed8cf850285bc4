"""The threads that compute groups of trials. A group is computed by one thread from its first step to its last: torch's own
threads would wait for each other after every operation, and the operations of small networks take microseconds."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from types import TracebackType
from typing import Self

import torch


class Crew:
    """As many threads as torch may use when it is made; used as a context."""

    def __init__(self) -> None:
        self.threads = torch.get_num_threads()
        self._pool = None if self.threads == 1 else ThreadPoolExecutor(self.threads, "group", _use_one_thread)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            torch.set_num_threads(self.threads)  # MKL has one number for all threads

    def share(self, count: int, most: int, fewest: int) -> list[slice]:
        """Slices of as equal a size as possible, of at most `most`; as many for each thread, if they have `fewest`."""
        groups = -(-count // most)
        groups = min(-(-groups // self.threads) * self.threads, max(groups, count // fewest))
        cuts = [count * at // groups for at in range(groups + 1)] if count else []
        return [slice(start, end) for start, end in pairwise(cuts)]

    def do(self, work: Sequence[Callable[[], None]]) -> None:
        """Calls each of these, and returns when all have ended."""
        if self._pool is None:
            for each in work:
                each()
            return
        for done in [self._pool.submit(each) for each in work]:
            done.result()


def _use_one_thread() -> None:
    torch.set_num_threads(1)
