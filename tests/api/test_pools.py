"""Blocking requests run in separate thread pools, each with a bounded queue, and not for clients that have
disconnected."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from fastapi import APIRouter, FastAPI

from service.api import problems
from service.api.holder import Holder
from service.api.pools import Pool, Pools
from service.api.routing import PooledRoute, pool
from service.app import ROUTERS
from service.use_cases.cancellation import check_cancelled

MOST = 2  # length of the queue in these tests


class Blocking:
    """An application with a route of each of two pools; planning has one thread, which waits for `go_on`."""

    def __init__(self) -> None:
        self.go_on, self.begun, self.ended = threading.Event(), 0, 0
        router = APIRouter(route_class=PooledRoute)

        @router.get("/read")
        def read() -> str:
            return "read"

        @router.get("/plan")
        @pool("planning")
        def plan() -> str:
            self.begun += 1
            while not self.go_on.wait(0.01):
                check_cancelled()
            self.ended += 1
            return "planned"

        self.app = FastAPI()
        self.app.include_router(router)
        problems.install(self.app)
        pools = Pools()
        pools.planning = self.planning = Pool("planning", 1, MOST, in_steps=True)
        services = self.app.state.services = Holder[Any]()
        services.value = SimpleNamespace(pools=pools)  # the only dependency of these routes

    async def get(self, path: str, left: asyncio.Event | None = None) -> tuple[int, dict[bytes, bytes]]:
        """Status and headers of the response to a GET, from a client that disconnects when `left` is set."""
        requested, answer = False, dict[str, Any]()

        async def receive() -> dict[str, Any]:
            nonlocal requested
            if not requested:
                requested = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await (left or asyncio.Event()).wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            answer.update(message)

        scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}
        await self.app(scope, receive, send)  # type: ignore[arg-type]
        return answer["status"], dict(answer["headers"])


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not reached():
            await asyncio.sleep(0.001)


def blocked(test: Callable[[Blocking], Awaitable[None]]) -> Blocking:
    """Runs a test while the only planning thread waits; it is released at the end."""

    async def run() -> Blocking:
        app = Blocking()
        first = asyncio.create_task(app.get("/plan"))
        await until(lambda: app.begun == 1)
        try:
            await test(app)
        finally:
            app.go_on.set()
        assert (await first)[0] == 200
        await until(lambda: app.planning.waiting == 0)
        return app

    return asyncio.run(run())


def test_a_full_planning_pool_does_not_delay_reads() -> None:
    async def test(app: Blocking) -> None:
        assert [(await app.get("/read"))[0] for _ in range(20)] == [200] * 20

    blocked(test)


def test_a_full_queue_is_429_at_once_and_queued_requests_are_answered() -> None:
    waiting: list[asyncio.Task[tuple[int, dict[bytes, bytes]]]] = []

    async def test(app: Blocking) -> None:
        waiting.extend(asyncio.create_task(app.get("/plan")) for _ in range(MOST))
        await until(lambda: app.planning.waiting == MOST)
        status, headers = await app.get("/plan")
        assert (status, headers[b"retry-after"]) == (429, b"1")
        app.go_on.set()
        assert [(await each)[0] for each in waiting] == [200] * MOST

    assert blocked(test).ended == 1 + MOST


def test_a_queued_request_is_dropped_when_its_client_disconnects() -> None:
    async def test(app: Blocking) -> None:
        left = asyncio.Event()
        waits = asyncio.create_task(app.get("/plan", left))
        await until(lambda: app.planning.waiting == 1)
        left.set()
        assert (await waits)[0] == 400  # which is never sent
        assert app.planning.waiting == 0

    assert blocked(test).begun == 1


def test_a_running_request_stops_at_its_next_step_when_its_client_disconnects() -> None:
    async def test() -> Blocking:
        app, left = Blocking(), asyncio.Event()
        begun = asyncio.create_task(app.get("/plan", left))
        await until(lambda: app.begun == 1)
        left.set()
        assert (await begun)[0] == 400  # which is never sent
        app.go_on.set()
        assert (await app.get("/plan"))[0] == 200
        return app

    assert asyncio.run(test()).ended == 1


def test_no_route_uses_the_shared_thread_pool() -> None:
    routes: list[Any] = [route for each in ROUTERS for route in each.router.routes]
    assert [route.path for route in routes if not asyncio.iscoroutinefunction(route.endpoint)] == []
