"""Bodies of requests, bounded: never more in memory or on disk than a route allows, once decompressed."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from fastapi import Request

from model_store.os_errors import storage_errors
from service.api.errors import TooLarge, UnsupportedMediaType
from service.api.json import decode_json
from service.api.pools import pools, write
from service.serving.content_coding import decompress

MOST_JSON_BYTES = 16 * 2**20
LARGE = 64 * 2**10  # bytes of JSON from which on the event loop does not decode it itself
BLOCK = 2**20  # bytes that are written at a time
BODY = "body"  # the name of the file


def media_type(request: Request) -> str:
    """The Content-Type without its parameters, in small letters."""
    return request.headers.get("content-type", "").split(";", 1)[0].strip().lower()


async def read_json(request: Request) -> Any:
    """The decoded body.

    Raises:
        UnsupportedMediaType, TooLarge, InvalidCoding, InvalidJson: it is no JSON that this service takes.
    """
    given = media_type(request)
    if given not in ("", "application/json") and not given.endswith("+json"):
        raise UnsupportedMediaType("expected Content-Type: application/json")
    body = await read_body(request, MOST_JSON_BYTES)
    return decode_json(body) if len(body) <= LARGE else await pools().planning.run(decode_json, body)


async def read_body(request: Request, most: int) -> bytes:
    """The whole body, at most so many bytes.

    Raises:
        TooLarge, InvalidCoding: there are more, or they are not what Content-Encoding says.
    """
    chunks = [chunk async for chunk in bounded(request, most)]
    return b"".join(chunks)


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
            async for chunk in bounded(request, most):
                await write(file.write, chunk)
        yield path


async def bounded(request: Request, most: int) -> AsyncIterator[bytes]:
    """The body as it comes, decompressed.

    Raises:
        TooLarge, InvalidCoding: there are more bytes than `most`, or they are not what Content-Encoding says.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise TooLarge(f"the body has {declared} bytes; at most {most} are taken here")
    async for piece in decompress(request.stream(), request.headers.get("content-encoding", ""), most):
        yield piece
