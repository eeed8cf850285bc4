"""Images are decoded as the documentation says, and what is no image is refused with the reason."""

import struct
import warnings
import zlib
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from service.workflow.data.images import BadImage, ImageFacts, check_image, decode_image
from tests.workflow.pictures import GIF_FRAME, GIF_START, animated, black, chunk, gradient, png, saved

PHOTO = gradient(40, 30)
JPEG = saved(PHOTO, "JPEG")


def exif(orientation: int) -> Image.Exif:
    made = Image.Exif()
    made[0x0112] = orientation
    return made


def flat(color: Any, mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (6, 4), color)


def corner(data: bytes, channels: Any = 3) -> list[int]:
    """The first pixel."""
    found: list[int] = decode_image(data, (4, 6), channels)[:, 0, 0].tolist()
    return found


def with_segment(marker: int, data: bytes) -> bytes:
    """A JPEG file with a segment of metadata."""
    return JPEG[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data + JPEG[2:]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_picture_is_stretched_to_the_size(form: str) -> None:
    data = saved(PHOTO, form)
    assert check_image(data) == check_image(BytesIO(data)) == ImageFacts(form, 30, 40, 3, 1)
    found = decode_image(data, (10, 20))
    expected = np.asarray(Image.open(BytesIO(data)).convert("RGB").resize((20, 10), Image.Resampling.BILINEAR))
    assert found.dtype == np.uint8 and found.shape == (3, 10, 20) and found.flags.c_contiguous
    assert np.abs(found.transpose(1, 2, 0).astype(int) - expected).max() <= 8  # a JPEG file is decoded to half at once
    grey = decode_image(data, (10, 20), 1)
    assert grey.shape == (1, 10, 20)
    assert np.abs(grey[0].astype(int) - np.asarray(Image.fromarray(expected).convert("L"))).max() <= 8


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_turned_as_exif_says(form: str, orientation: int) -> None:
    data = saved(PHOTO, form, exif=exif(orientation), **({"lossless": True} if form == "WEBP" else {}))
    turned = ImageOps.exif_transpose(Image.open(BytesIO(data))).convert("RGB")
    facts = check_image(data)
    assert (facts.width, facts.height) == turned.size
    found = decode_image(data, (turned.height, turned.width))
    assert np.abs(found.transpose(1, 2, 0).astype(int) - np.asarray(turned)).max() <= 1


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",
        b"MM\0*\0\0\0\x08\xff\xff",
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0",
        b"\0" * 99,
    ],
)
def test_damaged_exif_turns_nothing(damage: bytes) -> None:
    assert check_image(with_segment(0xE1, b"Exif\0\0" + damage)).width == 30
    assert check_image(png(6, 4, chunk(b"eXIf", damage), black(6, 4))).width == 6


TRANSPARENT = {
    "RGBA": lambda: saved(flat((0, 0, 0, 0), "RGBA")),
    "half": lambda: saved(flat((0, 0, 0, 128), "RGBA")),
    "LA": lambda: saved(flat((0, 0), "LA")),
    "WebP": lambda: saved(flat((0, 0, 0, 0), "RGBA"), "WEBP", lossless=True),
    "a color that is transparent": lambda: saved(flat((1, 2, 3)), transparency=(1, 2, 3)),
    "a palette": lambda: saved(flat((9, 9, 9)).convert("P"), transparency=bytes(256)),
    "a palette with one color": lambda: saved(flat((9, 9, 9)).quantize(4), "GIF", transparency=0),
}


@pytest.mark.parametrize("name", TRANSPARENT)
def test_what_is_transparent_is_white(name: str) -> None:
    white = 127 if name == "half" else 255
    assert corner(TRANSPARENT[name]()) == [white] * 3
    assert corner(TRANSPARENT[name](), 1) == [white]


def test_other_modes() -> None:
    deep = np.full((4, 6), 0x1234, np.uint16)
    assert corner(saved(Image.fromarray(deep))) == [0x12] * 3
    assert corner(saved(Image.fromarray(deep)), 1) == [0x12]
    wide = chunk(b"IDAT", zlib.compress((b"\0" + b"\x12\x34\x56\x78\x9a\xbc" * 6) * 4)) + chunk(b"IEND", b"")
    assert corner(png(6, 4, wide, bits=16)) == [0x12, 0x56, 0x9A]
    assert corner(saved(flat(1, "1"))) == [255] * 3
    red = corner(saved(flat((0, 255, 255, 0), "CMYK"), "JPEG", quality=95))
    assert red[0] > 250 and max(red[1:]) < 5
    profile = saved(flat((10, 200, 30)), icc_profile=b"\0" * 5000)
    assert corner(profile) == [10, 200, 30]


@pytest.mark.parametrize(
    ("data", "channels"),
    [
        (saved(flat(7, "L")), 1),
        (saved(flat((7, 9), "LA")), 1),
        (saved(flat(7, "L"), "JPEG"), 1),
        (saved(Image.fromarray(np.zeros((4, 6), np.uint16))), 1),
        (saved(flat(1, "1")), 1),
        (saved(flat(7, "L").convert("P")), 1),
        (saved(flat(7, "L"), "GIF"), 1),
        (saved(flat((7, 7, 7))), 3),
        (saved(flat((7, 8, 9)).convert("P")), 3),
        (saved(flat((7, 7, 7)), "WEBP"), 3),
    ],
)
def test_grey_files_have_one_channel(data: bytes, channels: int) -> None:
    assert check_image(data).channels == channels


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 60_000), (60_000, 1)])
def test_extreme_sizes(height: int, width: int) -> None:
    found = decode_image(saved(Image.new("RGB", (width, height), (1, 2, 3))), (8, 8))
    assert (found == np.array([1, 2, 3])[:, None, None]).all()


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP"])
def test_an_animation_is_its_first_frame(form: str) -> None:
    data = animated(5, form)
    assert check_image(data).frames == 5
    assert max(corner(data)) <= 1


def test_a_file_may_go_on_after_its_image() -> None:
    assert check_image(JPEG + b"PK\x03\x04<script>") == check_image(JPEG)


def test_metadata_never_reach_pillow() -> None:
    entries = b"".join(struct.pack("<HHII", at + 1, 7, 50_000, 8) for at in range(5000))
    greedy = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 5000) + entries
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for segment in (0xE1, 0xE2, 0xED, 0xFE):
            assert check_image(with_segment(segment, greedy)) == check_image(JPEG)
        large = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10_000_000)))
        assert check_image(png(6, 4, large, chunk(b"eXIf", greedy[6:]), black(6, 4))).height == 4


SCAN = saved(flat((1, 2, 3)), "JPEG", progressive=True)
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "it is empty"),
    "a text": (lambda: b"no image", "it is no image of a known format; PNG, JPEG, WebP and GIF are read"),
    "SVG": (lambda: b'<?xml version="1.0"?><svg/>', "it is SVG or other XML; PNG"),
    "a page": (lambda: b"\n<!doctype html>", "it is SVG or other XML"),
    "TIFF": (lambda: saved(PHOTO, "TIFF"), "it is TIFF; PNG"),
    "BMP": (lambda: saved(PHOTO, "BMP"), "it is BMP; PNG"),
    "EPS": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0", "it is EPS"),
    "PSD": (lambda: b"8BPS\0\1", "it is PSD"),
    "JPEG 2000": (lambda: saved(PHOTO, "JPEG2000"), "it is JPEG 2000"),
    "a header alone": (lambda: png(6, 4), "it is truncated"),
    "a pixel bomb": (lambda: png(60_000, 60_000, chunk(b"IDAT", b"")), "it has 60,000 × 60,000 pixels, and at most"),
    "a GIF bomb": (lambda: b"GIF89a" + b"\xff" * 4 + GIF_START[10:] + GIF_FRAME, "65,535 × 65,535 pixels"),
    "a frame beyond": (lambda: GIF_START + GIF_FRAME[:13] + b"\xff" * 4 + GIF_FRAME[17:], "65,535 × 65,535 pixels"),
    "a WebP bomb": (
        lambda: b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0" + b"\xfe\x3f\0" * 2,
        "it has 16,383 × 16,383 pixels",
    ),
    "two headers": (lambda: png(6, 4, png(9_000, 9_000)[8:], black(6, 4)), "it is damaged"),
    "no pixels": (lambda: png(0, 4, black(0, 4)), "it has no pixels"),
    "many chunks": (lambda: png(6, 4, chunk(b"teSt", b"") * 100_001), "it has more than 100,000 chunks"),
    "many segments": (lambda: JPEG[:2] + b"\xff\xd0" * 100_001 + JPEG[2:], "it has more than 100,000 segments"),
    "many scans": (lambda: SCAN[:-2] + SCAN[SCAN.rfind(b"\xff\xda") : -2] * 60, "it has more than 50 scans"),
    "a million frames": (lambda: GIF_START + GIF_FRAME * 1_000_000, "it has more than 100,000 frames"),
    "many blocks": (lambda: GIF_START + b"!\xfe" + b"\x01a" * 1_000_001, "it has more than 1,000,000 blocks"),
    "wrong sums": (lambda: png(6, 4, black(6, 4)).replace(b"IHDR\0\0\0\6", b"IHDR\0\0\0\7"), "it is damaged"),
    "wrong data": (lambda: png(6, 4, chunk(b"IDAT", b"no zlib"), chunk(b"IEND", b"")), "it is damaged"),
    "two starts of frame": (lambda: with_segment(0xC0, b"\x08\0\x10\0\x10\x01\x01\x11\0"), "it is damaged"),
    "no pixel data": (lambda: png(6, 4, chunk(b"IEND", b"")), "it is damaged"),
    "12 bits": (lambda: JPEG.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"), "it has 12 bits for each colour"),
    "a GIF without frames": (lambda: GIF_START + b";", "it is damaged"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_with_the_reason(name: str) -> None:
    make, reason = REFUSED[name]
    data = make()
    for read in (check_image, lambda each: decode_image(each, (8, 8))):
        with pytest.raises(BadImage) as refused:
            read(data)
        assert str(refused.value).startswith("it ") and reason in str(refused.value)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF"])
def test_truncated_files_are_refused(form: str) -> None:
    whole = saved(PHOTO, form)
    for end in (len(whole) // 8, len(whole) // 2, len(whole) - 40):
        with pytest.raises(BadImage, match=r"^it is (truncated|damaged)"):
            check_image(whole[:end])


def test_limits_of_a_caller() -> None:
    with pytest.raises(BadImage, match=r"it has more than 100 bytes"):
        check_image(BytesIO(JPEG), most_bytes=100)
    with pytest.raises(BadImage, match=r"it has 30 × 40 pixels, and at most 1,000 are read"):
        decode_image(JPEG, (8, 8), most_pixels=1000)


@given(st.sampled_from(["PNG", "JPEG", "WEBP", "GIF"]), st.data())
def test_damaged_bytes_raise_no_other_error(form: str, data: st.DataObject) -> None:
    damaged = bytearray(saved(flat((1, 2, 3)), form, **({"exif": exif(6)} if form != "GIF" else {})))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    for each in (bytes(damaged), bytes(damaged[:cut])):
        with suppress(BadImage):
            assert decode_image(each, (5, 5)).shape == (3, 5, 5)
