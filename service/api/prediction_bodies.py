"""Bodies of predictions, as the server hands them on: bounded, decompressed, or never read."""

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from service.api.errors import TooLarge
from service.serving.content_coding import decompress


async def whole_body(headers: dict[bytes, bytes], receive: Receive, most: int) -> bytes:
    """All of it, decompressed.

    Raises:
        TooLarge: there are more bytes than `most`.
        ClientDisconnect: it broke off.
    """
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared[:18]) > most:
        raise TooLarge(f"the body has {declared.decode()} bytes; at most {most} are taken here")
    coding = headers.get(b"content-encoding")
    chunks = bounded(receive, most)
    if coding is None:
        return b"".join([chunk async for chunk in chunks])
    return b"".join([piece async for piece in decompress(chunks, coding.decode("latin-1"), most)])


async def bounded(receive: Receive, most: int) -> AsyncIterator[bytes]:
    """The pieces as they come, `most` bytes of them at most.

    Raises:
        TooLarge: there are more.
        ClientDisconnect: it broke off.
    """
    total, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body: bytes = message.get("body", b"")
        total += len(body)
        if total > most:
            raise TooLarge(f"the body has more than {most} bytes, the most that is taken here")
        yield body
        more = message.get("more_body", False)


async def gone(receive: Receive) -> None:
    """Returns when the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        await asyncio.sleep(0)  # a body that nobody reads; a server that goes on giving it must not stop the loop


async def nothing() -> Message:
    """Never comes."""
    return await asyncio.Future()
