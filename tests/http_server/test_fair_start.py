"""All requests are started in order, a few in each iteration of the event loop."""

import asyncio
from collections import Counter
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from service.http_server.fair_start import AT_ONCE, FairStart


@given(st.lists(st.integers(0, 3 * AT_ONCE), min_size=1, max_size=6))
def test_requests_start_in_order_and_few_per_iteration(arrivals: list[int]) -> None:
    begun: list[tuple[int, int]] = []  # iteration of the event loop, number of the request
    iteration, number = 0, 0

    def begin(request: int) -> None:
        begun.append((iteration, request))

    async def main() -> None:
        nonlocal iteration, number
        queue = FairStart(asyncio.get_running_loop())
        for count in arrivals:  # requests in each iteration
            for _ in range(count):
                queue.start(partial(begin, number))
                number += 1
            iteration += 1
            await asyncio.sleep(0)
        while len(begun) < number:
            iteration += 1
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(main(), 10))
    assert [each for _, each in begun] == list(range(sum(arrivals)))
    assert all(count <= AT_ONCE for count in Counter(at for at, _ in begun).values())
    if arrivals[0] <= AT_ONCE:
        assert sum(at == 0 for at, _ in begun) == arrivals[0]  # no request waits if all of them fit
