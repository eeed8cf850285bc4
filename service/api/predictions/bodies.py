"""Bodies of predictions, as the server hands them on: bounded, decompressed in threads, or never read."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from concurrent.futures import Executor

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from service.api.errors import TooLarge
from service.serving.content_coding import Decompressor, decompressor
from service.serving.memory_budget import Share


async def whole_body(headers: dict[bytes, bytes], receive: Receive, most: int, share: Share) -> bytes:
    """All of it as it was sent; what comes takes of the share.

    Raises:
        TooLarge: there are more bytes than `most`.
        Overloaded: the bodies of others take all the memory there is for them.
        ClientDisconnect: it broke off.
    """
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared[:18]) > most:
        raise TooLarge(f"the body has {declared.decode()} bytes; at most {most} are taken here")
    chunks = []
    async for chunk in bounded(receive, most):
        share.take(len(chunk))
        chunks.append(chunk)
    return b"".join(chunks)


def decompressor_of(headers: dict[bytes, bytes], most: int) -> Decompressor | None:
    """What decompresses the body, of which at most so many bytes may come; None where it is not compressed.

    Raises:
        UnknownCoding: nothing here does.
    """
    coding = headers.get(b"content-encoding")
    return None if coding is None else decompressor(coding.decode("latin-1"), most)


async def decompressed(chunks: AsyncIterable[bytes], by: Decompressor, executor: Executor) -> AsyncGenerator[bytes]:
    """What comes out of the chunks, a piece at a time, each made in a thread.

    Raises:
        InvalidCoding: the body is not what its Content-Encoding says.
    """
    loop = asyncio.get_running_loop()
    async for chunk in chunks:
        pieces = by.pieces(chunk)
        while (piece := await loop.run_in_executor(executor, next, pieces, None)) is not None:
            yield piece
    by.end()


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


async def nothing() -> Message:
    """Never comes."""
    return await asyncio.Future()
