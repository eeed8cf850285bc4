"""Checks of a request's head beyond those of the parser, against request smuggling: nothing in it may be ambiguous."""

import re
from collections.abc import Callable
from functools import lru_cache

from service.http_server.errors import AddressTooLong, HeadTooLarge, MalformedRequest, UnsupportedVersion

MOST_HEADERS = 100
MOST_HEAD_BYTES = 64 * 2**10  # of the request line and all headers
MOST_URL_BYTES = 32 * 2**10
REQUEST_LINE = 16  # bytes of it beside the URL

_CHECKED = frozenset({b"host", b"content-length", b"transfer-encoding", b"upgrade"})
# A name or an address, and perhaps a port (RFC 9110, 7.2); empty is allowed, too.
_HOST = re.compile(rb"(?:[A-Za-z0-9._~%-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")


def check_head(url: bytes, headers: list[tuple[bytes, bytes]], version: Callable[[], str]) -> int | None:
    """Checks the head, and returns the length of the body in bytes; None if it is chunked.

    Args:
        url: of the request line.
        headers: with names in lower case.
        version: gives the HTTP version.

    Raises:
        HeadTooLarge, AddressTooLong: a limit is passed.
        UnsupportedVersion: the version is neither HTTP/1.1 nor 1.0.
        MalformedRequest: a header is repeated or contradicts another.
    """
    if len(headers) > MOST_HEADERS:
        raise HeadTooLarge(f"the request has {len(headers)} headers; at most {MOST_HEADERS} are taken")
    if len(url) > MOST_URL_BYTES:
        raise AddressTooLong(f"the address has {len(url)} bytes; at most {MOST_URL_BYTES} are taken")
    if (number := version()) not in ("1.1", "1.0"):
        raise UnsupportedVersion(f"HTTP/{number} is not spoken here; HTTP/1.1 is")
    hosts, length, chunked, upgrade = 0, 0, False, False
    authority = url.partition(b"://")[2].partition(b"/")[0].lower() if not url.startswith(b"/") else b""
    size = len(url) + REQUEST_LINE
    for name, value in headers:
        size += len(name) + len(value) + 4
        if name not in _CHECKED:
            continue
        if name == b"host":
            hosts += 1
            if not _is_host(value):
                raise MalformedRequest("Host is not a host with, perhaps, a port")
            if authority and value.lower() != authority:
                raise MalformedRequest("the address names another host than Host does")
        elif name == b"content-length":
            length = int(value)  # the parser accepts one such header, of digits
        elif name == b"upgrade":
            upgrade = True
        elif value.lower() != b"chunked":
            raise MalformedRequest("the only Transfer-Encoding that is taken is chunked")
        else:
            chunked = True  # a repeated one is an error that the parser raises later
    if size > MOST_HEAD_BYTES:
        raise HeadTooLarge(f"the head of the request has {size} bytes; at most {MOST_HEAD_BYTES} are taken")
    if hosts != 1 and (hosts or number == "1.1"):
        raise MalformedRequest("a request must have one Host")
    if chunked and number != "1.1":
        raise MalformedRequest("only HTTP/1.1 knows Transfer-Encoding")
    if upgrade and (chunked or length):
        raise MalformedRequest("a request with a body cannot ask for another protocol")
    return None if chunked else length


def check_protocol(url: bytes, received: bytes) -> None:
    """Checks that the protocol is HTTP: the parser accepts RTSP and ICE, too.

    Args:
        url: of the request line.
        received: bytes with the request line in them.

    Raises:
        UnsupportedVersion: it is another protocol.
    """
    if (b"RTSP/" in received or b"ICE/" in received) and re.search(
        rb"[A-Z] +" + re.escape(url) + rb" +(?:RTSP|ICE)/", received
    ):
        raise UnsupportedVersion("only HTTP/1.1 is spoken here")


@lru_cache(256)  # most clients send the same Host each time
def _is_host(value: bytes) -> bool:
    return _HOST.fullmatch(value) is not None
