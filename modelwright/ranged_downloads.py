"""A file of the service, received by ranges: after a cut it goes on where it ended."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import BinaryIO

import httpx

from modelwright.errors import ApiError, TransferFailed, UnexpectedAnswer, Unreachable
from modelwright.steps import Call, Read, Steps
from modelwright.tries import Tries
from modelwright.uploads import Progress

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
_LENGTH = re.compile(r"[0-9]{1,18}")
_REPR_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/=]+):")


@dataclass
class _File:
    """What is known of the file: its size, and the strong ETag and SHA-256 of all its bytes, "" if not known."""

    size: int = -1
    etag: str = ""
    sha256: str = ""


def receive(address: str, target: BinaryIO, most: int, progress: Progress) -> Steps[None]:
    """Writes the file at this address to `target`, which is empty.

    Args:
        address: a path of the service.
        target: is given the file, whose digest is checked if the service tells it.
        most: bytes that the file may have.
        progress: is called with the bytes that have arrived, and with all of them.

    Raises:
        Unreachable, ApiError: a failure did not pass.
        UnexpectedAnswer: the answer contradicts itself, or the one before it.
        TransferFailed: the bytes do not have the digest that the service tells.
    """
    known, tries, have, sha256 = _File(), Tries(), 0, hashlib.sha256()
    while have != known.size:
        try:
            response: httpx.Response = yield Call("GET", address, headers=_headers(known, have), live=True)
            start, stop, known = _part(response, known, have)
            if known.size > most:
                raise UnexpectedAnswer(f"The file is said to have {known.size} bytes; at most {most} are expected.")
            if start != have:  # all of it again
                target.seek(0)
                target.truncate()
                have, sha256 = 0, hashlib.sha256()
            while have < stop and (chunk := (yield Read())):
                if len(chunk) > stop - have:
                    raise UnexpectedAnswer("There are more bytes than the service has announced.")
                target.write(chunk)
                sha256.update(chunk)
                have += len(chunk)
                tries.progressed()
                progress(have, known.size)
            if have < stop:
                raise Unreachable("The answer ended too early.")
        except (Unreachable, ApiError) as error:
            yield tries.failed(error)
    if known.sha256 not in ("", sha256.hexdigest()):
        raise TransferFailed("What arrived does not have the digest that the service tells: it was damaged on the way.")


def _headers(known: _File, have: int) -> dict[str, str]:
    whole = {"Accept": "*/*", "Accept-Encoding": "identity"}
    return whole | {"Range": f"bytes={have}-", "If-Range": known.etag} if have and known.etag else whole


def _part(response: httpx.Response, known: _File, have: int) -> tuple[int, int, _File]:
    """Where the bytes of an answer begin and end, and what is now known of the file."""
    headers = response.headers
    etag = headers.get("ETag", "") if headers.get("ETag", "").startswith('"') else ""
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnexpectedAnswer("The file came compressed, which was not asked for.")
    if response.status_code == HTTPStatus.OK:
        if not _LENGTH.fullmatch(headers.get("Content-Length", "")):
            raise UnexpectedAnswer("The service does not tell the size of the file.")
        size = int(headers["Content-Length"])
        return 0, size, _File(size, etag, _sha256(headers.get("Repr-Digest", "")))
    part = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
    if response.status_code != HTTPStatus.PARTIAL_CONTENT or part is None or not have:
        raise UnexpectedAnswer
    start, last, size = map(int, part.groups())
    if (start, size, etag) != (have, known.size, known.etag) or not start <= last < size:
        raise UnexpectedAnswer("The service has sent another part than the one that it was asked for.")
    return start, last + 1, known


def _sha256(header: str) -> str:
    """The SHA-256 in hex, of a header `Repr-Digest` (RFC 9530)."""
    given = _REPR_DIGEST.search(header)
    try:
        return "" if given is None else base64.b64decode(given[1], validate=True).hex()
    except binascii.Error:
        raise UnexpectedAnswer("The header Repr-Digest is not valid.") from None
