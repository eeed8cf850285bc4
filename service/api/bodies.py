"""Bodies of requests, bounded: never more in memory or on disk than a route allows, once decompressed."""

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from fastapi import Request

from model_store.os_errors import storage_errors
from service.api.dependencies import services_of
from service.api.errors import TooLarge, UnsupportedMediaType
from service.api.json import decode_json, json_weight
from service.serving.content_coding import Decompressor, decompress, decompressor

MOST_JSON_BYTES = 16 * 2**20
LARGE = 64 * 2**10  # bytes of JSON from which on the event loop does not decode it itself
BLOCK = 2**20  # bytes that are written at a time
BODY = "body"  # the name of the file
NO_DEFAULT = object()


def media_type(request: Request) -> str:
    """The Content-Type without its parameters, in small letters."""
    return request.headers.get("content-type", "").split(";", 1)[0].strip().lower()


async def read_json(request: Request) -> AsyncIterator[Any]:
    """The decoded body, as a dependency of routes: until they have answered it counts as memory that is taken.

    Raises:
        UnsupportedMediaType, TooLarge, InvalidCoding, InvalidJson: it is no JSON that this service takes.
        Overloaded: the bodies of others take all the memory there is for them.
    """
    given = media_type(request)
    if given not in ("", "application/json") and not given.endswith("+json"):
        raise UnsupportedMediaType("expected Content-Type: application/json")
    async with decoded_body(request) as value:
        yield value


@asynccontextmanager
async def decoded_body(request: Request, absent: Any = NO_DEFAULT) -> AsyncIterator[Any]:
    """The decoded body, whatever it is said to be; `absent` for an empty one, if given.

    Raises:
        As `read_json`.
    """
    services = await services_of(request)
    with services.bodies.share() as share:
        coding = _decompressor(request, MOST_JSON_BYTES)
        chunks = []
        async for chunk in _as_they_come(request, MOST_JSON_BYTES):
            share.take(len(chunk))
            chunks.append(chunk)
        body = b"".join(chunks)
        del chunks

        def decoded() -> Any:
            content = body if coding is None else decompress(body, coding, share.take)
            if len(content) > LARGE:
                share.take(json_weight(content))
            return absent if not content and absent is not NO_DEFAULT else decode_json(content)

        yield decoded() if coding is None and len(body) <= LARGE else await services.pools.planning.run(decoded)


@contextmanager
def own_folder(folder: Path) -> Iterator[Path]:
    """A new folder below `folder`; it and all that is in it are gone afterwards."""
    with storage_errors():
        folder.mkdir(parents=True, exist_ok=True)
        made = tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True)
    with made as own:
        yield Path(own)


@asynccontextmanager
async def body_on_disk(request: Request, folder: Path, most: int) -> AsyncIterator[Path]:
    """The body in a file of its own folder below `folder`; the folder and all in it are gone afterwards.

    Raises:
        TooLarge, InvalidCoding: there are more bytes than `most`, or they are not what Content-Encoding says.
        NoSpace: the disk is full.
    """
    with own_folder(folder) as own:
        path = own / BODY
        with storage_errors(), path.open("wb", buffering=BLOCK) as file:
            await hand_on(request, most, file.write)
        yield path


async def hand_on(request: Request, most: int, take: Callable[[bytes], object]) -> None:
    """Gives the body to `take`, decompressed and piece by piece, in threads: neither a slow disk nor what it is compressed
    with holds up anybody else.

    Raises:
        TooLarge, InvalidCoding: there are more bytes than `most`, or they are not what Content-Encoding says.
    """
    coding, pools = _decompressor(request, most), (await services_of(request)).pools

    def pass_on(chunk: bytes) -> None:
        for piece in (chunk,) if coding is None else coding.pieces(chunk):
            take(piece)

    async for chunk in _as_they_come(request, most):
        await pools.write(pass_on, chunk)
    if coding is not None:
        coding.end()


def _decompressor(request: Request, most: int) -> Decompressor | None:
    return decompressor(request.headers.get("content-encoding", ""), most)


async def _as_they_come(request: Request, most: int) -> AsyncIterator[bytes]:
    """The chunks of the body as they were sent.

    Raises:
        TooLarge: they are more than `most` bytes.
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
