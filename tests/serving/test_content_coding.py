"""Compressed bodies: what was put in comes out, and never more than is taken."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.serving import content_coding
from service.serving.content_coding import PIECE, ContentTooLarge, InvalidCoding, UnknownCoding, decompress

zstd: Any = vars(content_coding)["zstd"]
COMPRESS = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstd.compress}
CODINGS = sorted(COMPRESS)


def decompressed(chunks: list[bytes], coding: str, most: int = 2**20) -> bytes:
    async def source() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def run() -> bytes:
        pieces = [piece async for piece in decompress(source(), coding, most)]
        assert all(0 < len(piece) <= PIECE for piece in pieces) or coding == "identity"
        return b"".join(pieces)

    return asyncio.run(run())


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
def test_a_large_body_comes_in_pieces(coding: str) -> None:
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


def test_a_window_larger_than_the_coding_allows() -> None:
    options = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.content_size_flag: 0}
    made = zstd.ZstdCompressor(options=options)
    body = made.compress(b"x" * 1000, made.CONTINUE) + made.flush()
    with pytest.raises(InvalidCoding):
        decompressed([body], "zstd")


def test_others() -> None:
    assert decompressed([b"ab", b"c"], "identity") == b"abc"
    with pytest.raises(ContentTooLarge):
        decompressed([b"abc"], "identity", 2)
    for coding in ("br", "gzip, gzip", "compress", "*"):
        with pytest.raises(UnknownCoding):
            decompressed([zlib.compress(b"")], coding)
