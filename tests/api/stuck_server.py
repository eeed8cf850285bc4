"""`python -m tests.api.stuck_server FOLDER`: a server that never answers. It prints its port, and a line when a request
is in progress: one that waits, one whose thread keeps working, a stream that has begun, or a prediction on the fast path."""

import asyncio
import sys
import time
from functools import partial
from pathlib import Path

from starlette.types import Receive, Scope, Send

from service.access.audit import Audit
from service.access.keyring import Keyring
from service.access.scopes import Scope as KeyScope
from service.api.middleware.authorize import Authorize
from service.api.problems import answer_to
from service.api.security_headers import ALWAYS
from service.http_server import server as server_module
from service.http_server.connection import Connection
from service.http_server.direct_request import DirectRequest, rendered
from service.http_server.errors import CutOff
from service.http_server.server import Server
from service.http_server.sockets import open_listeners
from service.telemetry import logs


def report_in_progress() -> None:
    print("under way", flush=True)  # noqa: T201 - read by the test


async def stuck(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        while True:
            await send({"type": (await receive())["type"] + ".complete"})
    report_in_progress()
    if scope["path"] == "/v1/threads":
        await asyncio.to_thread(time.sleep, 600)
    if scope["path"] == "/v1/streams":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
    await asyncio.sleep(600)


class StuckFastPath:
    """Accepts requests and answers none until it is cut off."""

    def find(self, path: str) -> str | None:
        return path if path == "/v1/short" else None

    def answer(self, request: DirectRequest, target: str) -> bool:
        def cut_off() -> None:
            refusal = answer_to(CutOff())
            lines = [line for line in refusal.raw_headers if line[0] != b"content-length"]
            request.send(refusal.status_code, rendered(lines), bytes(refusal.body))

        request.on_cut_off = cut_off
        report_in_progress()
        return True


def main(folder: Path) -> None:
    server_module.MOST_SECONDS_TO_STOP, server_module.CUT_OFF_SECONDS, server_module.SHUTDOWN_SECONDS = 3, 2, 1
    logs.configure("info")
    app = Authorize(
        stuck,
        Keyring(folder),
        Audit(folder / "audit"),
        needed=lambda method, path: (KeyScope.PREDICT, False),
        answered=lambda *_: None,
    )
    connection = partial(Connection, answer_to=answer_to, refused=lambda *_: None, fast_path=StuckFastPath())
    listeners = open_listeners("127.0.0.1", 0)
    print(listeners[0].getsockname()[1], flush=True)  # noqa: T201 - read by the test
    Server(app, http=connection, delay=0.0, stopping=lambda: None, alone=True, headers=ALWAYS).serve_on(listeners)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
