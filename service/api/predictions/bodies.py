"""Reading the bodies of predictions: with a limit on the size, and decompressed in threads."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from service.api.content_coding import Decompressor, decompressor
from service.api.errors import TooLarge
from service.serving.memory_budget import Share


async def whole_body(headers: dict[bytes, bytes], receive: Receive, most: int, share: Share) -> bytes:
    """Reads the body as it was sent; the share takes the bytes of each piece.

    Raises:
        TooLarge: the body has more bytes than `most`.
        Overloaded: the memory for bodies is used up.
        ClientDisconnect: the client disconnected.
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
    """The decompressor for a Content-Encoding, with at most `most` bytes of output; None for a body that is not compressed.

    Raises:
        UnknownCoding: the coding is not supported.
    """
    coding = headers.get(b"content-encoding")
    return None if coding is None else decompressor(coding.decode("latin-1"), most)


async def decompressed(chunks: AsyncIterable[bytes], by: Decompressor) -> AsyncGenerator[bytes]:
    """Decompresses the chunks, piece by piece, in threads.

    Raises:
        InvalidCoding: the body does not match its Content-Encoding.
    """
    async for chunk in chunks:
        pieces = by.pieces(chunk)
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            yield piece
    by.end()


async def bounded(receive: Receive, most: int) -> AsyncIterator[bytes]:
    """Yields the pieces of the body as they are received.

    Raises:
        TooLarge: the body has more than `most` bytes.
        ClientDisconnect: the client disconnected.
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
