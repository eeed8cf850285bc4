"""Requests that are answered on their connection, without ASGI."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import uvicorn
from starlette.responses import PlainTextResponse, Response

from service.http_server.connection import Connection, State
from service.http_server.direct_request import DirectRequest

POST = b"POST /%b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n%b\r\n"


class Answers:
    """Answers each request with a function."""

    def __init__(self, answer: Callable[[DirectRequest], bool]) -> None:
        self._answer = answer

    def find(self, path: str) -> str:
        """Accepts every path."""
        return path

    def answer(self, request: DirectRequest, _: Any) -> bool:
        """Calls the function."""
        return self._answer(request)


def exchange(sent: bytes, answer: Callable[[DirectRequest], bool]) -> bytes:
    """The bytes received until the connection closes; requests that are not answered directly get `over ASGI`."""

    async def run() -> bytes:
        config = uvicorn.Config(PlainTextResponse("over ASGI"), lifespan="off", log_config=None)
        parts: dict[str, Any] = {"answer_to": lambda error: Response(str(error), 400), "refused": lambda *_: None}
        connection = partial(Connection, config, State(), {}, fast_path=Answers(answer), **parts)
        server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(sent)
            received = await asyncio.wait_for(reader.read(), 30)
            writer.close()
        return received

    return asyncio.run(run())


def test_a_request_has_one_answer() -> None:
    def answer(request: DirectRequest) -> bool:
        request.send(200, b"", b"first")
        request.send(500, b"", b"second")
        request.cut_off()
        return True

    received = exchange(POST % (b"a", b"") + POST % (b"b", b"Connection: close\r\n"), answer)
    assert received.count(b"HTTP/1.1 ") == received.count(b"first") == 2
    assert received.endswith(b"connection: close\r\ncontent-length: 5\r\n\r\nfirst")


def test_a_request_behind_the_last_answer_is_not_answered() -> None:
    """As in a shutdown: the connection closes although the client would keep it alive."""
    seen = list[str]()

    def answer(request: DirectRequest) -> bool:
        seen.append(request.path)
        request.keep_alive = False
        request.send(200, b"", request.path.encode())
        return True

    received = exchange(POST % (b"a", b"") + POST % (b"b", b""), answer)
    assert received.count(b"HTTP/1.1 ") == 1
    assert received.endswith(b"/a")
    assert seen == ["/a"]


def test_a_pending_answer_keeps_the_order() -> None:
    """The second request, over ASGI, waits for the answer to the first."""
    pending = list[DirectRequest]()

    def answer(request: DirectRequest) -> bool:
        pending.append(request)
        asyncio.get_running_loop().call_later(0.01, request.send, 200, b"", b"direct")
        return True

    received = exchange(POST % (b"a", b"") + POST % (b"b", b"Connection: close\r\n"), answer)
    assert [each.path for each in pending] == ["/a"]
    assert received.index(b"direct") < received.index(b"over ASGI")
