"""Busy polling: only for one client that asks again at once, and never for longer than a moment."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from service.api import busy_poll
from service.api.busy_poll import BusyPoll


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> float:
    """A moment that no busy machine misses."""
    monkeypatch.setattr(busy_poll, "MOMENT", 0.3)
    return busy_poll.MOMENT


class Turns:
    """An event loop's turns: each is a look at its connections."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.poll = BusyPoll()

    def exchange(self, requests: int = 1) -> None:
        """So many requests at once, and their answers."""
        for _ in range(requests):
            self.poll.asked()
        for _ in range(requests):
            self.poll.answered(self.loop)

    def awake(self) -> bool:
        """Whether the loop would not sleep now, after one more turn."""
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()
        return bool(self.loop._ready)  # type: ignore[attr-defined]


@contextmanager
def turns() -> Iterator[Turns]:
    made = Turns()
    try:
        yield made
    finally:
        made.loop.close()


def test_one_that_asks_again_at_once_finds_the_loop_awake(moment: float) -> None:
    with turns() as made:
        made.exchange()
        assert not made.awake()  # the first one came from nowhere
        made.exchange()
        assert made.awake() and made.awake()
        made.poll.asked()
        assert not made.awake()  # it has come


def test_not_for_longer_than_a_moment(moment: float) -> None:
    with turns() as made:
        made.exchange()
        made.exchange()
        assert made.awake()
        time.sleep(moment + 0.01)
        assert not made.awake()
        made.exchange()  # came late: the next one probably will, too
        assert not made.awake()


def test_not_where_several_ask_at_once(moment: float) -> None:
    with turns() as made:
        made.exchange()
        made.exchange(2)
        assert not made.awake()
