"""Resumable uploads of bundles, and their import."""

from collections.abc import Callable
from http import HTTPStatus
from os import PathLike
from pathlib import Path

import httpx

from modelwright.calls import json_of, path
from modelwright.errors import ApiError, ModelwrightError, UnexpectedAnswer, Unreachable
from modelwright.json_types import Json
from modelwright.methods import operation
from modelwright.steps import Call, Steps, Tail
from modelwright.tries import Tries

CONFLICT = frozenset(
    {HTTPStatus.CONFLICT}
)  # another offset than expected: what was sent before has arrived late, or not
OFFSET_STREAM = "application/offset+octet-stream"
LONGEST_IMPORT = 600.0  # seconds in which the service must have answered

Progress = Callable[[int, int], object]  # called with the bytes that were sent so far, and with all of them


class Uploads:
    """Every call of resumable uploads, as steps."""

    @operation
    def create_upload(self, length: int) -> Steps[Json]:
        """Begins a resumable upload of so many bytes."""
        return (yield from _create(length))

    @operation
    def upload(self, upload: str) -> Steps[Json]:
        """An upload: its `length` and `offset` in bytes, and when it expires."""
        return (yield from json_of(Call("GET", path("uploads", upload))))

    @operation
    def continue_upload(self, upload: str, file: str | PathLike[str], offset: int) -> Steps[int]:
        """Sends a file from that byte on; returns the new offset. `ApiError` 409 if the upload has another offset."""
        file = Path(file)
        response: httpx.Response = yield _patch(path("uploads", upload), Tail(file, offset, lambda _: None))
        return _offset(response, file.stat().st_size)

    @operation
    def delete_upload(self, upload: str) -> Steps[None]:
        """Removes an upload."""
        yield Call("DELETE", path("uploads", upload))

    @operation
    def import_upload(self, name: str, upload: str) -> Steps[Json]:
        """Adds an uploaded bundle as the model's next version; a version with the same digest is returned as it is."""
        return (yield from take(name, upload))


def take(name: str, upload: str) -> Steps[Json]:
    """Imports an upload."""
    call = Call("POST", path("models", name, "versions"), json={"upload": upload}, timeout=LONGEST_IMPORT)
    return (yield from json_of(call))


def send(file: Path, progress: Progress) -> Steps[str]:
    """Uploads a file, and goes on where the service says after each cut; returns the upload's id.

    Raises:
        Unreachable, ApiError: a failure did not pass.
        UnexpectedAnswer: the service tells an offset that cannot be.
    """
    size, tries = file.stat().st_size, Tries()
    while True:
        try:
            made = yield from _create(size)
            break
        except (Unreachable, ApiError) as error:
            yield tries.failed(error)
    upload = made.get("id")
    if not isinstance(upload, str):
        raise UnexpectedAnswer
    try:
        yield from _send_all(path("uploads", upload), file, size, tries, progress)
    except ApiError:
        yield from discard(upload)
        raise
    return upload


def discard(upload: str) -> Steps[None]:
    """Removes an upload, if that is possible; else it expires."""
    try:
        yield Call("DELETE", path("uploads", upload))
    except ModelwrightError:
        return


def _send_all(address: str, file: Path, size: int, tries: Tries, progress: Progress) -> Steps[None]:
    offset, position, is_certain = 0, 0, True

    def sent(more: int) -> None:
        nonlocal position
        position += more
        progress(position, size)

    while offset < size or not is_certain:
        try:
            if is_certain:
                is_certain, position = False, offset
                response: httpx.Response = yield _patch(address, Tail(file, offset, sent))
            else:
                response = yield Call("HEAD", address)
            reached = _offset(response, size)
            if reached > offset:
                tries.progressed()
            elif response.request.method == "PATCH":
                raise Unreachable("The service has accepted nothing of what was sent.")
            offset, is_certain = reached, True
        except (Unreachable, ApiError) as error:
            yield tries.failed(error, CONFLICT)
    progress(size, size)


def _create(length: int) -> Steps[Json]:
    return (yield from json_of(Call("POST", path("uploads"), headers={"Upload-Length": str(length)})))


def _patch(address: str, content: Tail) -> Call:
    headers = {"Upload-Offset": str(content.start), "Content-Type": OFFSET_STREAM}
    return Call("PATCH", address, headers=headers, content=content)


def _offset(response: httpx.Response, size: int) -> int:
    given = response.headers.get("Upload-Offset", "")
    if not (given.isascii() and given.isdigit() and len(given) <= len(str(size)) and int(given) <= size):
        raise UnexpectedAnswer("The service tells no offset of the upload that can be right.")
    return int(given)
