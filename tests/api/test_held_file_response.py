"""Files that a response keeps until it ends."""

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.types import Message

from service.api.held_file_response import HeldFileResponse


def test_a_cancelled_response_keeps_no_file(tmp_path: Path) -> None:
    """As at shutdown, while the client has not read everything."""
    path, held = tmp_path / "a.zip", ExitStack()
    path.write_bytes(bytes(200_000))
    held.callback(path.unlink)

    async def receive() -> Message:
        return await asyncio.Future()

    async def send(message: Message) -> None:
        assert path.exists()
        if message["type"] == "http.response.body":
            raise asyncio.CancelledError

    async def respond() -> None:
        response = HeldFileResponse(path, held=held)
        scope = {"type": "http", "method": "GET", "headers": [], "asgi": {"spec_version": "2.4"}}
        await response(scope, receive, send)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(respond())
    assert not path.exists()
