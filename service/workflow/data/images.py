"""Images as arrays. Pillow decodes them: `decode_image` is safe in the threads of a server, see `image_headers`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO, Literal

import numpy as np

from service.workflow.data.image_headers import IMAGE_TYPES, BadImage, Header, damaged, read_header, truncated
from service.workflow.data.table import Numbers

if TYPE_CHECKING:
    import PIL.Image
    from PIL.ImageFile import ImageFile

__all__ = ["IMAGE_TYPES", "MOST_BYTES", "MOST_PIXELS", "BadImage", "ImageFacts", "check_image", "decode_image"]

MOST_BYTES = 64 * 2**20
MOST_PIXELS = 64_000_000  # of 4 bytes in memory
COPIES = {"JPEG": 1, "PNG": 2, "GIF": 2, "WEBP": 4}  # of all pixels that are in memory while a file is decoded, at most
DRAFT = 2  # a JPEG file is decoded to at least this many times the size that is wanted


@dataclass(frozen=True)
class ImageFacts:
    """An image: its format (PNG, JPEG, WEBP or GIF), width and height as it is shown, channels (1 if it is grey, else 3; alpha
    does not count) and frames."""

    format: str
    width: int
    height: int
    channels: Literal[1, 3]
    frames: int


def check_image(data: bytes | BinaryIO, *, most_bytes: int = MOST_BYTES, most_pixels: int = MOST_PIXELS) -> ImageFacts:
    """Decodes an image, the first frame of an animated one.

    Raises:
        BadImage: it cannot be read.
    """
    if not isinstance(data, bytes):
        data = data.read(most_bytes + 1)
    header = _checked_header(data, most_bytes, most_pixels)
    with decoder_errors():
        to_array(_load(header, "RGB", (1, 1)), "RGB", (1, 1))
    width, height = (header.height, header.width) if header.orientation > 4 else (header.width, header.height)
    return ImageFacts(header.format, width, height, 1 if header.grey else 3, header.frames)


def decode_image(
    data: bytes,
    size: tuple[int, int],
    channels: Literal[1, 3] = 3,
    *,
    most_bytes: int = MOST_BYTES,
    most_pixels: int = MOST_PIXELS,
) -> Numbers:
    """An image as uint8 [channels, height, width], the first frame of an animated one.

    It is turned as EXIF says, laid on white where it is transparent, made grey (ITU-R 601-2 luma) or RGB, and stretched to the
    size by bilinear interpolation, which averages where it shrinks. Of 16 bits the higher 8 are taken. Colour profiles do not
    matter. Thread-safe.

    Args:
        size: height and width.
        channels: 1 for grey, 3 for red, green and blue.

    Raises:
        BadImage: it cannot be read.
    """
    header = _checked_header(data, most_bytes, most_pixels)
    height, width = size
    across = (height, width) if header.orientation > 4 else (width, height)
    mode = "L" if channels == 1 else "RGB"
    with decoder_errors():
        return to_array(_load(header, mode, across), mode, across, header.orientation)


@contextmanager
def decoder_errors() -> Iterator[None]:
    """Says of whatever error a decoder raises, about bytes of a stranger, that the file is truncated or damaged."""
    try:
        yield
    except (BadImage, MemoryError):
        raise
    except Exception as error:
        ends = isinstance(error, EOFError) or "truncated" in str(error)
        raise (truncated() if ends else damaged()) from error


def to_array(image: "PIL.Image.Image", mode: str, size: tuple[int, int], orientation: int = 1) -> Numbers:
    """A decoded picture as uint8 [1 or 3, …]: of the mode L or RGB, stretched to a width and height, then turned."""
    from PIL.Image import Resampling

    image = _opaque(image, mode)
    if image.size != size:
        image = image.resize(size, Resampling.BILINEAR)
    array = np.asarray(image)
    array = array[None] if mode == "L" else array.transpose(2, 0, 1)
    return np.ascontiguousarray(_turned(array, orientation))


def _checked_header(data: bytes, most_bytes: int, most_pixels: int) -> Header:
    if len(data) > most_bytes:
        raise BadImage(f"it has more than {most_bytes:,} bytes, and no more are read")
    header = read_header(data)
    if header.width < 1 or header.height < 1:
        raise BadImage("it has no pixels")
    if header.width * header.height > most_pixels:
        raise BadImage(f"it has {header.width:,} × {header.height:,} pixels, and at most {most_pixels:,} are read")
    return header


def _load(header: Header, mode: str, size: tuple[int, int]) -> "ImageFile":
    """The first frame. A JPEG file is decoded to an eighth, a quarter or half if that is still `DRAFT` times the size."""
    image = opened(header)
    if image.size != (header.width, header.height):
        raise damaged()
    image.draft(mode, (DRAFT * size[0], DRAFT * size[1]))
    image.load()
    return image


def _opaque(image: "PIL.Image.Image", mode: str) -> "PIL.Image.Image":
    """The picture in the mode L or RGB, on white."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert(mode)
    if not image.has_transparency_data:
        return image.convert(mode)
    transparent = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(transparent, mask=transparent.getchannel("A"))
    return white.convert(mode)


def _turned(array: Numbers, orientation: int) -> Numbers:
    """An array [c, h, w] turned as EXIF says: first across the diagonal, then left to right, then top to bottom."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(1, 2)
    if orientation in (2, 3, 6, 7):
        array = array[:, :, ::-1]
    return array[:, ::-1] if orientation in (3, 4, 7, 8) else array


def opened(header: Header) -> "ImageFile":
    """The image as a file of Pillow, of a format that is read; nothing is decoded."""
    from PIL import GifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin  # noqa: F401 - they register

    return Image.open(BytesIO(header.pared), formats=[header.format])
