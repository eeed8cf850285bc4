"""Bodies that come compressed, by Content-Encoding: never more comes out at a time than one piece, nor in all than a
route takes."""

import sys
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Protocol

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE = 256 * 2**10
WINDOW_LOG = 23  # 8 MiB, the most that RFC 9659 lets the coding `zstd` ask for


class InvalidCoding(Exception):
    """The body is not what its Content-Encoding says."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class UnknownCoding(InvalidCoding):
    """The Content-Encoding is not one that is taken here; gzip, deflate and zstd are."""


class ContentTooLarge(InvalidCoding):
    """The body is larger, once decompressed, than is taken here."""


class _Member(Protocol):
    """One compressed member of a body; several may follow one another."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def piece(self, data: bytes) -> bytes:
        """At most one piece of what is in the data and was left over before."""


class _Zlib:
    def __init__(self, wbits: int) -> None:
        self._inner = zlib.decompressobj(wbits=wbits)
        self._left = b""

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def piece(self, data: bytes) -> bytes:
        made = self._inner.decompress(self._left + data, PIECE)
        self._left = self._inner.unconsumed_tail
        return made


class _Zstd:
    def __init__(self) -> None:
        # A frame's header names the window that is allocated for it.
        options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: WINDOW_LOG}
        self._inner = zstd.ZstdDecompressor(options=options)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def piece(self, data: bytes) -> bytes:
        return self._inner.decompress(data, PIECE)


def _gzip() -> _Zlib:
    return _Zlib(wbits=31)


def _deflate() -> _Zlib:
    """zlib's own format, as RFC 9110 has it, and as Triton's client sends it."""
    return _Zlib(wbits=15)


CODINGS: dict[str, Callable[[], _Member]] = {"gzip": _gzip, "x-gzip": _gzip, "deflate": _deflate, "zstd": _Zstd}


async def decompress(chunks: AsyncIterable[bytes], encoding: str, most: int) -> AsyncIterator[bytes]:
    """The body behind its Content-Encoding, in pieces; `identity` or nothing leaves it as it is.

    Raises:
        UnknownCoding: it is another one, or several.
        InvalidCoding: the body is broken, cut short, or goes on after its end.
        ContentTooLarge: more than `most` bytes come out; found before they are made.
    """
    coding = encoding.strip().lower()
    if coding not in ("", "identity", *CODINGS):
        raise UnknownCoding
    total = 0
    async for piece in chunks if coding in ("", "identity") else _pieces(chunks, coding):
        total += len(piece)
        if total > most:
            raise ContentTooLarge(f"the body has more than {most} bytes, the most that is taken here")
        yield piece


async def _pieces(chunks: AsyncIterable[bytes], coding: str) -> AsyncIterator[bytes]:
    member = CODINGS[coding]()
    begun = False  # whether a member has begun and not ended
    ended = False  # whether one has ended
    try:
        async for data in chunks:
            while data:
                begun, made = True, member.piece(data)
                while made and not member.eof:
                    yield made
                    made = member.piece(b"")
                if made:
                    yield made
                if not member.eof:
                    break
                data, member, begun, ended = member.unused_data, CODINGS[coding](), False, True
    except (zlib.error, zstd.ZstdError):
        where = "goes on after its end with what is not" if ended else "is not"
        raise InvalidCoding(f"the body {where} {coding}") from None
    if begun or not ended:
        raise InvalidCoding(f"the body is cut short: its {coding} does not end")
