"""`python -m tests.api.stuck_server FOLDER`: a server that answers nothing. It prints its port, and a line when a request
is under way: one that waits, one whose thread works on, a stream that has begun, or a prediction on the short way."""

import asyncio
import sys
import time
from functools import partial
from pathlib import Path

from starlette.types import Receive, Scope, Send

from service import server as server_module
from service.access.audit import Audit
from service.access.keyring import Keyring
from service.api.middleware.authorize import Edge
from service.api.middleware.scopes import RequiredScopes
from service.api.predictions.codecs import NATIVE
from service.api.predictions.fast_path import Asked, Exchange
from service.api.problems import answer_to
from service.http_server.sockets import open_listeners
from service.server import Protocol, Server
from service.telemetry import logs


def under_way() -> None:
    print("under way", flush=True)  # noqa: T201 - read by the test


async def stuck(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        while True:
            await send({"type": (await receive())["type"] + ".complete"})
    under_way()
    if scope["path"] == "/v1/threads":
        await asyncio.to_thread(time.sleep, 600)
    if scope["path"] == "/v1/streams":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
    await asyncio.sleep(600)


def short(exchange: Exchange) -> bool:
    exchange.began, exchange.answered = time.perf_counter(), lambda status: None
    under_way()
    return True


def main(folder: Path) -> None:
    server_module.MOST_SECONDS_TO_STOP, server_module.TO_PART, server_module.TO_END = 3, 2, 1
    logs.configure("info")
    keyring, audit = Keyring(folder), Audit(folder / "audit")

    def asked(path: str) -> Asked | None:
        return (("line", None), NATIVE) if path == "/v1/short" else None

    edge = Edge(stuck, keyring, audit, needed=RequiredScopes([]).needed, asked=asked, short=short, told=lambda *_: None)
    begin = partial(Protocol, asked=asked, answer=edge.short, answer_to=answer_to, refused=lambda *_: None)
    listeners = open_listeners("127.0.0.1", 0)
    print(listeners[0].getsockname()[1], flush=True)  # noqa: T201 - read by the test
    Server(edge, http=begin, delay=0.0, stopping=lambda: None, alone=True).serve_on(listeners)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
