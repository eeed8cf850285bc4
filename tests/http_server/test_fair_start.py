"""All requests are started, in their order, and few in each iteration of the event loop."""

import asyncio
from collections import Counter
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from service.http_server.fair_start import AT_ONCE, FairStart


@given(st.lists(st.integers(0, 3 * AT_ONCE), min_size=1, max_size=6))
def test_requests_start_in_order_and_few_per_iteration(comes: list[int]) -> None:
    begun: list[tuple[int, int]] = []  # in which turn of the loop, and who
    turn, number = 0, 0

    def begin(who: int) -> None:
        begun.append((turn, who))

    async def main() -> None:
        nonlocal turn, number
        queue = FairStart(asyncio.get_running_loop())
        for count in comes:  # so many with each turn
            for _ in range(count):
                queue.start(partial(begin, number))
                number += 1
            turn += 1
            await asyncio.sleep(0)
        while len(begun) < number:
            turn += 1
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(main(), 10))
    assert [each for _, each in begun] == list(range(sum(comes)))
    assert all(count <= AT_ONCE for count in Counter(at for at, _ in begun).values())
    if comes[0] <= AT_ONCE:
        assert sum(at == 0 for at, _ in begun) == comes[0]  # those who come alone wait for nothing
