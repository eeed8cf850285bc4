"""The memory of all bodies together is bounded and released, and a single request is always admitted."""

import threading

import pytest

from service.serving.errors import Overloaded
from service.serving.memory_budget import FREE, MemoryBudget


def test_requests_above_the_budget_are_refused_until_memory_is_released() -> None:
    budget = MemoryBudget(10 * FREE)
    first, second, third = (budget.share() for _ in range(3))
    first.take(6 * FREE)
    second.take(4 * FREE)
    third.take(FREE)  # small bodies are not counted
    with pytest.raises(Overloaded):
        third.take(1)
    assert budget.taken == 10 * FREE
    with pytest.raises(Overloaded):
        second.take(1)
    first.release()
    third.take(1)
    assert budget.taken == 5 * FREE + 1
    for each in (second, third, third):
        each.release()
    assert budget.taken == 0


def test_a_single_request_may_exceed_the_budget() -> None:
    budget = MemoryBudget(2 * FREE)
    with budget.share() as alone:
        alone.take(100 * FREE)
        with budget.share() as other, pytest.raises(Overloaded):
            other.take(2 * FREE)
    assert budget.taken == 0


def test_the_budget_is_thread_safe() -> None:
    budget, refused = MemoryBudget(8 * FREE), list[None]()

    def work() -> None:
        for _ in range(500):
            with budget.share() as share:
                try:
                    share.take(3 * FREE)
                except Overloaded:
                    refused.append(None)
                assert budget.taken <= 8 * FREE

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert budget.taken == 0
