"""Looks: who says nothing is ended in time, who has spoken is looked at twice a second, and who is lost is left alone."""

import asyncio
import heapq
from collections.abc import Callable
from itertools import count
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from service.http_server.timeouts import BETWEEN_LOOKS, SILENT_SECONDS, Looks

TURN = 0.001  # seconds


class Clock:
    """An event loop whose time is told by nothing but its turns."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = count()

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, call: Callable[..., None], *given: Any) -> None:
        heapq.heappush(self._due, (self.now + delay, next(self._order), call, given))

    def call_soon(self, call: Callable[..., None], *given: Any) -> None:
        self.call_later(TURN, call, *given)

    def run_until(self, end: float) -> None:
        while self._due and self._due[0][0] <= end:
            self.now, _, call, given = heapq.heappop(self._due)
            call(*given)
        self.now = end

    @property
    def idle(self) -> bool:
        return not self._due


class Connection:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.looks: list[float] = []
        self.ended: float | None = None

    def look(self, now: float) -> bool:
        self.looks.append(now)
        return False

    def end_silence(self) -> None:
        self.ended = self.clock.now


@given(
    st.lists(st.tuples(st.floats(0, 5), st.sampled_from(["silent", "heard", "lost", "heard and lost"])), max_size=60),
    st.floats(0, 9),
)
def test_each_is_ended_looked_at_or_left_alone(given: list[tuple[float, str]], after: float) -> None:
    clock = Clock()
    looks = Looks(cast(asyncio.AbstractEventLoop, clock))
    connections = []
    for at, fate in sorted(given):
        clock.run_until(at)
        connections.append((at, fate, Connection(clock)))
        looks.silent(connections[-1][2])
    clock.run_until(spoken := max(clock.now, after))
    for _, fate, connection in connections:
        if connection.ended is None and "heard" in fate:
            looks.broken(connection)
            looks.watch(connection)
        if connection.ended is None and "lost" in fate:
            looks.broken(connection)
            looks.lost(connection)
            connection.ended = -1.0
    clock.run_until(20)
    for at, fate, connection in connections:
        if connection.ended == -1:
            assert connection.looks == []
        elif connection.ended is not None:
            slack = BETWEEN_LOOKS + 2 * TURN * len(connections)
            assert SILENT_SECONDS <= connection.ended - at <= SILENT_SECONDS + slack
            assert connection.looks == []
        else:
            assert fate == "heard" and len(connection.looks) >= (20 - spoken) / (BETWEEN_LOOKS + 0.2)
            looks.lost(connection)
    clock.run_until(22)
    assert clock.idle  # nobody is there, and nobody is looked for
