"""Decompression of bodies by Content-Encoding, with limits on the size of a piece, on the total size, and on the compression
ratio in both directions.

A few bytes can take seconds of work: call it in a thread, for a request that has been accepted.
"""

import sys
import zlib
from collections.abc import Callable, Iterator
from functools import partial

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE = 256 * 2**10
SLICE = 64 * 2**10  # bytes that a decompressor gets at a time; it copies what it does not consume
# Bytes of output per byte of input, beyond a few megabytes of output. Numbers and texts have a ratio of 2 to 30.
MOST_RATIO, FREE_OUTPUT = 200, 4 * 2**20
# Bytes of input per byte of output. Incompressible data hardly grow; a larger ratio means empty frames, blocks and headers.
MOST_INPUT_RATIO, FREE_INPUT = 2, 2 * PIECE
MOST_MEMBERS, BYTES_A_MEMBER = (
    1000,
    1024,
)  # members or frames: this number, and one more for each `BYTES_A_MEMBER` of input
WINDOW_LOG = 23  # 8 MiB, the most that RFC 9659 allows for the coding `zstd`


class InvalidCoding(Exception):
    """The body does not match its Content-Encoding."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class UnknownCoding(InvalidCoding):
    """The Content-Encoding is not supported; gzip, deflate and zstd are."""


class ContentTooLarge(InvalidCoding):
    """The decompressed body is larger than the limit."""


class _Zlib:
    """A decompressor of one member of a body, which may have several."""

    def __init__(self, wbits: int) -> None:
        self._inner = zlib.decompressobj(wbits=wbits)
        self._left = b""

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, most: int) -> bytes:
        """Decompresses what was not consumed before and the data, up to `most` bytes of output."""
        made = self._inner.decompress(self._left + data, most)
        self._left = self._inner.unconsumed_tail
        return made


def _zstd() -> zstd.ZstdDecompressor:
    # The header of a frame states the window that is allocated for it.
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: WINDOW_LOG}
    return zstd.ZstdDecompressor(options=options)


_gzip = partial(_Zlib, wbits=31)
# `deflate` is the zlib format, as in RFC 9110, and as Triton's client sends it.
CODINGS: dict[str, Callable[[], _Zlib | zstd.ZstdDecompressor]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": partial(_Zlib, wbits=15),
    "zstd": _zstd,
}


class Decompressor:
    """Decompresses one body incrementally.

    Args:
        coding: a name in `CODINGS`.
        most: the limit on the output in bytes.
    """

    def __init__(self, coding: str, most: int) -> None:
        self._coding, self._most = coding, most
        self._member = CODINGS[coding]()
        self._begun = False  # whether a member is incomplete
        self._members = 0  # that are complete
        self._given = self._made = 0  # bytes

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Decompresses the next bytes of the body, and yields pieces of output.

        Raises:
            InvalidCoding: the body is corrupt, has trailing bytes, or consists almost only of frames and headers.
            ContentTooLarge: a limit on the output is passed.
        """
        for start in range(0, len(data), SLICE):
            yield from self._pieces_of(data[start : start + SLICE])
            if self._given > FREE_INPUT + MOST_INPUT_RATIO * self._made:
                raise InvalidCoding(f"the {self._coding} of the body has almost no content for its size")

    def end(self) -> None:
        """Ends the body.

        Raises:
            InvalidCoding: it is incomplete.
        """
        if self._begun or not self._members:
            raise InvalidCoding(f"the body is cut short: its {self._coding} does not end")

    def _pieces_of(self, data: bytes) -> Iterator[bytes]:
        self._given += len(data)
        try:
            while data:
                self._begun, made = True, self._member.decompress(data, PIECE)
                while made:
                    yield self._checked(made)
                    made = b"" if self._member.eof else self._member.decompress(b"", PIECE)
                if not self._member.eof:
                    return
                data = self._member.unused_data
                self._next_member()
        except (zlib.error, zstd.ZstdError):
            where = "has trailing bytes that are not" if self._members else "is not"
            raise InvalidCoding(f"the body {where} {self._coding}") from None

    def _checked(self, made: bytes) -> bytes:
        self._made += len(made)
        if self._made > self._most:
            raise ContentTooLarge(f"the body has more than {self._most} bytes, the most that is taken here")
        if self._made > FREE_OUTPUT + MOST_RATIO * self._given:
            raise ContentTooLarge(f"the body becomes more than {MOST_RATIO} times as large once decompressed")
        return made

    def _next_member(self) -> None:
        self._member, self._begun = CODINGS[self._coding](), False
        self._members += 1
        if self._members > MOST_MEMBERS + self._given // BYTES_A_MEMBER:
            raise InvalidCoding(f"the {self._coding} of the body has too many members for its size")


def decompressor(encoding: str, most: int) -> Decompressor | None:
    """The decompressor for a Content-Encoding, with at most `most` bytes of output; None for `identity`.

    Raises:
        UnknownCoding: the coding is unknown, or there are several.
    """
    coding = encoding.strip().lower()
    if coding in ("", "identity"):
        return None
    if coding not in CODINGS:
        raise UnknownCoding
    return Decompressor(coding, most)


def decompress(body: bytes, by: Decompressor, take: Callable[[int], None]) -> bytes:
    """Decompresses a whole body. `take` is called with the size of each piece of output, and may raise.

    Raises:
        InvalidCoding, ContentTooLarge: as `Decompressor`.
    """
    pieces = []
    for piece in by.pieces(body):
        take(len(piece))
        pieces.append(piece)
    by.end()
    return b"".join(pieces)
