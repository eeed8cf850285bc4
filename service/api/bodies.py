"""Request bodies with limits: decompressed, they take no more memory or disk space than a route allows."""

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from fastapi import Request

from model_store.os_errors import storage_errors
from service.api.content_coding import Decompressor, decompress, decompressor
from service.api.dependencies import services_of
from service.api.errors import TooLarge, UnsupportedMediaType
from service.strict_json import decode_body, memory_of

MOST_JSON_BYTES = 16 * 2**20
LARGE = 64 * 2**10  # bytes of JSON above which it is decoded in a thread
BLOCK = 2**20  # bytes that are written at a time
BODY = "body"  # the name of the file
NO_DEFAULT = object()


def media_type(request: Request) -> str:
    """The Content-Type without its parameters, in lower case."""
    return request.headers.get("content-type", "").split(";", 1)[0].strip().lower()


async def read_json(request: Request) -> AsyncIterator[Any]:
    """The decoded JSON body, as a dependency of routes. Its memory counts against the budget until the route has answered.

    Raises:
        UnsupportedMediaType, TooLarge, InvalidCoding, NotStrictJson: the body is not accepted.
        Overloaded: other bodies use the whole memory budget.
    """
    given = media_type(request)
    if given not in ("", "application/json") and not given.endswith("+json"):
        raise UnsupportedMediaType("expected Content-Type: application/json")
    async with decoded_body(request) as value:
        yield value


@asynccontextmanager
async def decoded_body(request: Request, absent: Any = NO_DEFAULT) -> AsyncIterator[Any]:
    """The decoded body, whatever its Content-Type; `absent` for an empty one, if given.

    Raises:
        As `read_json`.
    """
    services = await services_of(request)
    with services.bodies.share() as share:
        coding = _decompressor(request, MOST_JSON_BYTES)
        chunks = []
        async for chunk in _chunks(request, MOST_JSON_BYTES):
            share.take(len(chunk))
            chunks.append(chunk)
        body = b"".join(chunks)
        del chunks

        def decoded() -> Any:
            content = body if coding is None else decompress(body, coding, share.take)
            if len(content) > LARGE:
                share.take(memory_of(content))
            return absent if not content and absent is not NO_DEFAULT else decode_body(content)

        yield decoded() if coding is None and len(body) <= LARGE else await services.pools.planning.run(decoded)


@contextmanager
def temporary_folder(folder: Path) -> Iterator[Path]:
    """A new folder below `folder`, which is removed afterwards."""
    with storage_errors():
        folder.mkdir(parents=True, exist_ok=True)
        made = tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True)
    with made as own:
        yield Path(own)


@asynccontextmanager
async def body_on_disk(request: Request, folder: Path, most: int) -> AsyncIterator[Path]:
    """The body as a file in a temporary folder below `folder`.

    Raises:
        TooLarge, InvalidCoding: it has more bytes than `most`, or does not match its Content-Encoding.
        NoSpace: the disk is full.
    """
    with temporary_folder(folder) as own:
        path = own / BODY
        with storage_errors(), path.open("wb", buffering=BLOCK) as file:
            await write_body(request, most, file.write)
        yield path


async def write_body(request: Request, most: int, take: Callable[[bytes], object]) -> None:
    """Passes the decompressed body to `take` piece by piece, in threads, so that a slow disk or codec blocks no other request.

    Raises:
        TooLarge, InvalidCoding: it has more bytes than `most`, or does not match its Content-Encoding.
    """
    coding, pools = _decompressor(request, most), (await services_of(request)).pools

    def pass_on(chunk: bytes) -> None:
        for piece in (chunk,) if coding is None else coding.pieces(chunk):
            take(piece)

    async for chunk in _chunks(request, most):
        await pools.write(pass_on, chunk)
    if coding is not None:
        coding.end()


def _decompressor(request: Request, most: int) -> Decompressor | None:
    return decompressor(request.headers.get("content-encoding", ""), most)


async def _chunks(request: Request, most: int) -> AsyncIterator[bytes]:
    """The chunks of the body as sent.

    Raises:
        TooLarge: they have more than `most` bytes.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise TooLarge(f"the body has {declared} bytes; at most {most} are taken here")
    total = 0
    async for chunk in request.stream():
        total += len(chunk)
        if total > most:
            raise TooLarge(f"the body has more than {most} bytes, the most that is taken here")
        yield chunk
