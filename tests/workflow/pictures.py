"""Image files for tests, made by Pillow or by hand, and columns of them."""

import struct
import zlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from service.workflow.data.table import Files


def saved(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    """The file of a picture."""
    stream = BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def gradient(height: int, width: int) -> Image.Image:
    """A picture whose pixels tell where they are: red grows downward, green to the right."""
    down, across = np.mgrid[0:height, 0:width]
    planes = [down * 255 / max(1, height - 1), across * 255 / max(1, width - 1), np.full((height, width), 60)]
    return Image.fromarray(np.stack(planes, axis=2).astype(np.uint8))


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes, bits: int = 8, colour: int = 2) -> bytes:
    """A PNG file with these chunks after its header."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks)


def black(width: int, height: int) -> bytes:
    """The last chunks of a PNG file of 8 bits RGB."""
    return chunk(b"IDAT", zlib.compress(bytes(height * (1 + 3 * width)), 1)) + chunk(b"IEND", b"")


GIF_START = b"GIF89a" + struct.pack("<HH", 8, 8) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
GIF_FRAME = b"!\xf9\x04\0\0\0\0\0," + struct.pack("<HHHH", 0, 0, 8, 8) + b"\0\x02\x02\x8c\x53\0"


def animated(frames: int, form: str, **options: Any) -> bytes:
    """A clip, 16 × 12, of grey frames 0, 10, 20, …"""
    pictures = [Image.new("RGB", (16, 12), (10 * at,) * 3) for at in range(frames)]
    return saved(pictures[0], form, save_all=True, append_images=pictures[1:], duration=50, **options)


def column(folder: Path, files: Sequence[bytes | None]) -> Files:
    """A column of files, every second one deflated."""
    path, offsets, sizes, unpacked, stored = folder / "files", [], [], [], bytearray()
    for at, data in enumerate(files):
        deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        packed = data or b""
        if at % 2:
            packed = deflater.compress(packed) + deflater.flush()
        offsets.append(-1 if data is None else len(stored))
        sizes.append(len(packed))
        unpacked.append(len(data or b""))
        stored += packed
    path.write_bytes(stored)
    deflated, names = np.arange(len(files)) % 2 == 1, [f"{at}.png" for at in range(len(files))]
    return Files(path, np.array(offsets), np.array(sizes), np.array(unpacked), deflated, names)
