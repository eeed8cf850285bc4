"""Idle connections are closed in time, active ones are checked twice a second, and lost ones are skipped."""

import asyncio
import heapq
from collections.abc import Callable
from itertools import count
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from service.http_server.timeouts import CHECK_INTERVAL, FIRST_BYTE_SECONDS, Timeouts

ITERATION = 0.001  # seconds


class Clock:
    """An event loop whose time advances with its iterations only."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = count()

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, call: Callable[..., None], *given: Any) -> None:
        heapq.heappush(self._due, (self.now + delay, next(self._order), call, given))

    def call_soon(self, call: Callable[..., None], *given: Any) -> None:
        self.call_later(ITERATION, call, *given)

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
        self.checks: list[float] = []
        self.ended: float | None = None

    def check_timeouts(self, now: float) -> bool:
        self.checks.append(now)
        return False

    def close_idle(self) -> None:
        self.ended = self.clock.now


@given(
    st.lists(st.tuples(st.floats(0, 5), st.sampled_from(["idle", "active", "lost", "active and lost"])), max_size=60),
    st.floats(0, 9),
)
def test_idle_connections_are_closed_and_active_ones_are_checked(given: list[tuple[float, str]], after: float) -> None:
    clock = Clock()
    timeouts = Timeouts(cast(asyncio.AbstractEventLoop, clock))
    connections = []
    for at, fate in sorted(given):
        clock.run_until(at)
        connections.append((at, fate, Connection(clock)))
        timeouts.add_idle(connections[-1][2])
    clock.run_until(version_ := max(clock.now, after))
    for _, fate, connection in connections:
        if connection.ended is None and "active" in fate:
            timeouts.remove_idle(connection)
            timeouts.add(connection)
        if connection.ended is None and "lost" in fate:
            timeouts.remove_idle(connection)
            timeouts.remove(connection)
            connection.ended = -1.0
    clock.run_until(20)
    for at, fate, connection in connections:
        if connection.ended == -1:
            assert connection.checks == []
        elif connection.ended is not None:
            slack = CHECK_INTERVAL + 2 * ITERATION * len(connections)
            assert FIRST_BYTE_SECONDS <= connection.ended - at <= FIRST_BYTE_SECONDS + slack
            assert connection.checks == []
        else:
            assert fate == "active" and len(connection.checks) >= (20 - version_) / (CHECK_INTERVAL + 0.2)
            timeouts.remove(connection)
    clock.run_until(22)
    assert clock.idle  # without connections nothing is scheduled
