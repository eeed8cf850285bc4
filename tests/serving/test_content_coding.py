"""Compressed bodies: the content is restored, and neither its size nor the time to decompress exceeds its limit."""

import gzip
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.api import content_coding
from service.api.content_coding import (
    FREE_OUTPUT,
    PIECE,
    ContentTooLarge,
    InvalidCoding,
    UnknownCoding,
    decompress,
    decompressor,
)
from tests.harness.processor_time import cheap

pytestmark = pytest.mark.usefixtures("own_garbage")

zstd: Any = vars(content_coding)["zstd"]
COMPRESS = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstd.compress}
CODINGS = sorted(COMPRESS)


def decompressed(chunks: list[bytes], coding: str, most: int = 2**20) -> bytes:
    by, pieces = decompressor(coding, most), list[bytes]()
    if by is None:
        return b"".join(chunks)
    for chunk in chunks:
        pieces += by.pieces(chunk)
    by.end()
    assert all(0 < len(piece) <= PIECE for piece in pieces)
    whole, taken = decompressor(coding, most), list[int]()
    assert whole is not None and decompress(b"".join(chunks), whole, taken.append) == b"".join(pieces)
    assert sum(taken) == sum(map(len, pieces))
    return b"".join(pieces)


@settings(deadline=None)
@given(
    st.sampled_from(CODINGS), st.lists(st.binary(max_size=3000), max_size=3), st.integers(1, 500), st.integers(1, 50)
)
def test_round_trip(coding: str, members: list[bytes], size: int, repeat: int) -> None:
    parts = [each * repeat for each in members or [b""]]
    body = b"".join(COMPRESS[coding](part) for part in parts)
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    assert decompressed(chunks, coding) == b"".join(parts)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_large_body_is_decompressed_in_chunks(coding: str) -> None:
    content = bytes(range(256)) * 16384
    assert decompressed([COMPRESS[coding](content)], coding.upper(), len(content)) == content


@pytest.mark.parametrize("coding", CODINGS)
def test_broken_bodies(coding: str) -> None:
    good = COMPRESS[coding](b"some text " * 100)
    cut = [[], [b""], [good[:-1]], [good[:10]], [good[:1]], [good, good[:5]]]
    for chunks in (
        [b"no"],
        [b"plain text"],
        [good + b"trailing"],
        [good, b"\0\0"],
        [good[:20] + b"\xff" * 9 + good[29:]],
        *cut,
    ):
        with pytest.raises(InvalidCoding) as caught:
            decompressed(chunks, coding)
        assert type(caught.value) is InvalidCoding and str(caught.value)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_is_stopped_early(coding: str) -> None:
    bomb = COMPRESS[coding](bytes(64 * 2**20))
    assert len(bomb) < 100_000
    with pytest.raises(ContentTooLarge):
        decompressed([bomb], coding, 2**20)


@pytest.mark.parametrize("coding", CODINGS)
def test_output_is_in_proportion_to_the_input(coding: str) -> None:
    small, large = bytes(FREE_OUTPUT), bytes(64 * 2**20)
    assert decompressed([COMPRESS[coding](small)], coding, 2**30) == small
    body = COMPRESS[coding](large)
    with pytest.raises(ContentTooLarge, match="times"):
        decompressed([body], coding, 2**30)


def _stored(times: int) -> bytes:
    """A zlib stream of empty blocks, without an end."""
    return b"\x78\x9c" + b"\0\0\0\xff\xff" * times


EMPTY = {
    "zstd": zstd.compress(b"") * 200_000,
    "gzip": gzip.compress(b"") * 100_000,
    "deflate": _stored(400_000),
    "gzip with long names": b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 2**21,
    "zstd that is skipped": (b"\x50\x2a\x4d\x18" + (2**20).to_bytes(4, "little") + bytes(2**20)) * 2,
    "gzip of one byte": gzip.compress(b"a") * 100_000,
    "zstd of few bytes": zstd.compress(b"abcdefghijkl" * 9) * 100_000,
}


@pytest.mark.parametrize("name", EMPTY)
def test_long_input_with_little_output_is_refused_early(name: str) -> None:
    def refused() -> InvalidCoding:
        with pytest.raises(InvalidCoding) as caught:
            decompressed([EMPTY[name]], name.split()[0], 2**30)
        return caught.value

    error = cheap(refused, 0.5)
    assert type(error) is InvalidCoding and "does not end" not in str(error)


def test_a_window_larger_than_the_coding_allows() -> None:
    options = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.content_size_flag: 0}
    made = zstd.ZstdCompressor(options=options)
    body = made.compress(b"x" * 1000, made.CONTINUE) + made.flush()
    with pytest.raises(InvalidCoding):
        decompressed([body], "zstd")


def test_others() -> None:
    assert decompressed([b"ab", b"c"], "identity") == b"abc"
    for coding in ("br", "gzip, gzip", "compress", "*"):
        with pytest.raises(UnknownCoding):
            decompressed([zlib.compress(b"")], coding)
