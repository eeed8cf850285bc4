"""The headers of image files: format, size, number of frames, orientation, and the file without what its pixels do not need.

They are read here, before a decoder sees the file, because limits must hold before memory is taken for an image, and because
Pillow parses metadata of strangers that pixels do not need: EXIF, text, colour profiles, Photoshop's blocks, previews. It warns
of faults in them, and refuses pictures for the size of their texts.

Sources: PNG (Third Edition) 11; ITU-T T.81 B; RFC 9649 (WebP) 2; GIF89a; EXIF 2.32, 4.6.2.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from service.workflow.errors import InvalidData

IMAGE_TYPES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP", "image/gif": "GIF"}
READ = "PNG, JPEG, WebP and GIF are read"
MOST_BLOCKS = 100_000  # of a file: chunks, segments, frames
MOST_GIF_BLOCKS = 1_000_000  # of at most 255 bytes each
MOST_SCANS = 50  # of a progressive JPEG file, each of which is a pass over all pixels; 10 are usual

PNG, JPEG, GIF = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", (b"GIF87a", b"GIF89a")
OTHERS = (  # (where, what is there, what the file is)
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"BM", "BMP"),
    (0, b"8BPS", "PSD"),
    (0, b"%!PS", "EPS"),
    (0, b"\xc5\xd0\xd3\xc6", "EPS"),
    (0, b"%PDF", "PDF"),
    (0, b"\0\0\x01\0", "ICO"),
    (0, b"\0\0\0\x0cjP", "JPEG 2000"),
    (0, b"\0\0\0\x0cJXL", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftyphei", "HEIC"),
    (4, b"ftypmif", "HEIC"),
    (4, b"ftyp", "MP4"),
    (0, b"\x1aE\xdf\xa3", "WebM or Matroska"),
    (0, b"PK\x03\x04", "a ZIP archive"),
)
SVG = re.compile(rb"\s*<(?:\?xml|!--|!DOCTYPE|svg|[a-z]+:svg)", re.IGNORECASE)
JPEG_MARKER = re.compile(rb"\xff[^\xff\x00]", re.DOTALL)


class BadImage(InvalidData):
    """An image or a video cannot be read. Messages are the reason, of which the file is the subject: "it is truncated"."""


@dataclass(frozen=True)
class Header:
    """What the header of an image says.

    `width` and `height` are those of its pixels in the file, before they are turned by `orientation`, 1 to 8 as in EXIF. `grey`
    if no colour can be in it. `pared` is the file without what its pixels do not need.
    """

    format: str
    width: int
    height: int
    frames: int
    grey: bool
    orientation: int
    pared: bytes


def read_header(data: bytes, *, animated: bool = False) -> Header:
    """The header of an image; `pared` has all frames if `animated`, else the first.

    Raises:
        BadImage: it has no format that is read, or its header is damaged.
    """
    if data.startswith(PNG):
        return _png(data, animated=animated)
    if data.startswith(JPEG):
        return _jpeg(data)
    if data.startswith(GIF):
        return _gif(data, animated=animated)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _webp(data)
    raise BadImage(f"it is {_other(data)}; {READ}" if data else "it is empty")


def damaged() -> BadImage:
    """What is said of a file whose parts do not fit together."""
    return BadImage("it is damaged and cannot be decoded")


def truncated() -> BadImage:
    """What is said of a file whose end is missing."""
    return BadImage("it is truncated")


def _other(data: bytes) -> str:
    named = (name for at, start, name in OTHERS if data[at : at + len(start)] == start)
    return (
        "SVG or other XML"
        if SVG.match(data[:1000].removeprefix(b"\xef\xbb\xbf"))
        else next(named, "no image of a known format")
    )


def _png(data: bytes, *, animated: bool) -> Header:
    wanted = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"} | ({b"acTL", b"fcTL", b"fdAT"} if animated else set())
    kept, exif, palette, frames, kind, pixels = [PNG], b"", b"", 0, b"", False
    for kind, start, length in _png_chunks(data):
        if kind in wanted:
            kept.append(data[start - 8 : start + length + 4])
        if kind == b"eXIf" and not exif:
            exif = data[start : start + length]
        elif kind == b"PLTE":
            palette = data[start : start + length]
        frames += kind == b"fcTL"
        pixels |= kind == b"IDAT"
    header = data[16:29]  # of IHDR
    if data[12:16] != b"IHDR":
        raise damaged()
    if len(header) < 13 or not pixels:
        raise damaged() if kind == b"IEND" else truncated()
    width, height, kind_of_colour = int.from_bytes(header[:4]), int.from_bytes(header[4:8]), header[9]
    grey = kind_of_colour in (0, 4) or (kind_of_colour == 3 and _grey(palette))
    return Header("PNG", width, height, max(1, frames), grey, _orientation(exif), b"".join(kept))


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The chunks' kinds, starts and lengths."""
    at = len(PNG)
    for _ in range(MOST_BLOCKS):
        if at + 8 > len(data):
            return
        length, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        yield kind, at + 8, length
        if kind == b"IEND":
            return
        at += length + 12
    raise BadImage(f"it has more than {MOST_BLOCKS:,} chunks")


def _jpeg(data: bytes) -> Header:
    kept, exif, shape, at = [JPEG[:2]], b"", b"", 2
    for _ in range(MOST_BLOCKS):
        found = JPEG_MARKER.search(data, at)
        if found is None:
            raise truncated()
        marker, at = data[found.start() + 1], found.end()
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # have no length
            continue
        length = int.from_bytes(data[at : at + 2])
        segment = data[at + 2 : at + length]
        if marker == 0xD9 or length < 2:
            raise damaged() if at + 2 <= len(data) else truncated()
        if marker == 0xDA:
            kept.append(data[at - 2 :])
            return _jpeg_header(shape, exif, b"".join(kept))
        frame = 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)
        if frame:
            if shape:
                raise damaged()
            shape = segment
        elif marker == 0xE1 and segment.startswith(b"Exif\0\0") and not exif:
            exif = segment
        tables = marker in (0xC4, 0xCC, 0xDB, 0xDD)
        colours = (marker == 0xE0 and segment.startswith(b"JFIF\0")) or (
            marker == 0xEE and segment.startswith(b"Adobe")
        )
        if frame or tables or colours:
            kept.append(data[at - 2 : at + length])
        at += length
    raise BadImage(f"it has more than {MOST_BLOCKS:,} segments")


def _jpeg_header(shape: bytes, exif: bytes, pared: bytes) -> Header:
    """From the bytes of its start of frame: bits, height, width, number of components."""
    if len(shape) < 6:
        raise damaged()
    if shape[0] != 8:
        raise BadImage(f"it has {shape[0]} bits for each colour of a pixel, and JPEG files with 8 are read")
    if pared.count(b"\xff\xda") > MOST_SCANS:  # in compressed data 0xff is always followed by 0
        raise BadImage(f"it has more than {MOST_SCANS} scans")
    height, width = int.from_bytes(shape[1:3]), int.from_bytes(shape[3:5])
    return Header("JPEG", width, height, 1, shape[5] == 1, _orientation(exif), pared)


def _webp(data: bytes) -> Header:
    at, width, height, frames, exif = 12, 0, 0, 0, b""
    if 8 + int.from_bytes(data[4:8], "little") > len(data):
        raise truncated()
    for _ in range(MOST_BLOCKS):
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 18]
        if len(kind) < 4:
            return Header("WEBP", width, height, max(1, frames), False, _orientation(exif), data)
        if at == 12:
            width, height = _webp_size(kind, body)
        frames += kind == b"ANMF"
        if kind == b"EXIF" and not exif:
            exif = data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    raise BadImage(f"it has more than {MOST_BLOCKS:,} chunks")


def _webp_size(kind: bytes, body: bytes) -> tuple[int, int]:
    """Width and height, from the first chunk."""
    if kind == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    raise damaged()


def _gif(data: bytes, *, animated: bool) -> Header:
    width, height = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    at = 13 + _table_size(data[10:11])
    grey, kept, frames, control = _grey(data[13:at]), [data[:at]], 0, b""
    for _ in range(MOST_BLOCKS):
        kind, start = data[at : at + 1], at
        if kind == b"!":
            at = _after_blocks(data, at + 2)
            if data[start + 1 : start + 2] == b"\xf9":  # how the next frame is shown
                control = data[start:at]
        elif kind == b",":
            frames += 1
            at = _after_blocks(data, at + 11 + _table_size(data[at + 9 : at + 10]))
            if animated or frames == 1:
                left, top, across, down = (
                    int.from_bytes(data[start + k : start + k + 2], "little") for k in (1, 3, 5, 7)
                )
                width, height = max(width, left + across), max(height, top + down)
                grey &= _grey(data[start + 10 : start + 10 + _table_size(data[start + 9 : start + 10])])
                kept += [control, data[start:at]]
            control = b""
        else:  # the end, or what no decoder reads
            if not frames:
                raise truncated() if not kind else damaged()
            return Header("GIF", width, height, frames, grey, 1, b"".join([*kept, b";"]))
    raise BadImage(f"it has more than {MOST_BLOCKS:,} frames and extensions")


def _table_size(flags: bytes) -> int:
    """The bytes of a table of colours."""
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0


def _after_blocks(data: bytes, at: int) -> int:
    """The position after a chain of blocks, each with its length in its first byte, which one of length 0 ends."""
    for _ in range(MOST_GIF_BLOCKS):
        if at >= len(data) or not data[at]:
            return at + 1
        at += data[at] + 1
    raise BadImage(f"it has more than {MOST_GIF_BLOCKS:,} blocks")


def _grey(palette: bytes) -> bool:
    return palette[0::3] == palette[1::3] == palette[2::3]


def _orientation(exif: bytes) -> int:
    """How a picture is to be turned, 1 to 8; 1, not at all, if EXIF does not say or is damaged."""
    exif = exif.removeprefix(b"Exif\0\0")
    if exif[:4] not in (b"II*\0", b"MM\0*"):
        return 1

    def number(at: int, size: int) -> int:
        return int.from_bytes(exif[at : at + size], "little" if exif[:1] == b"I" else "big")

    first = number(4, 4)
    for entry in range(first + 2, first + 2 + 12 * min(number(first, 2), 1000), 12):
        if (number(entry, 2), number(entry + 2, 2)) == (0x0112, 3):  # a number of 16 bits
            value = number(entry + 8, 2)
            return value if 1 <= value <= 8 else 1
    return 1
