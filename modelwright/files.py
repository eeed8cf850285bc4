"""Files as values of rows, such as images: paths, bytes, and images of Pillow."""

import io
from base64 import b64encode
from pathlib import Path
from typing import Any

SIGNATURES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))
PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")


def is_file(value: Any) -> bool:
    """Whether a value is the path of a file, bytes, or an image of Pillow."""
    return isinstance(value, Path | bytes | bytearray) or _is_picture(value)


def content_of(value: Any) -> bytes:
    """The bytes of such a value; those of a picture as PNG.

    Raises:
        OSError: the file cannot be read.
    """
    if isinstance(value, Path):
        return value.read_bytes()
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    made = io.BytesIO()
    (value if value.mode in PNG_MODES else value.convert("RGB")).save(made, "PNG")
    return made.getvalue()


def media_type_of(content: bytes) -> str | None:
    """The media type of an image by its first bytes; None for any other file."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((media_type for start, media_type in SIGNATURES if content.startswith(start)), None)


def as_json(value: Any) -> dict[str, str]:
    """The file as rows in JSON have it."""
    return {"b64": b64encode(content_of(value)).decode()}


def _is_picture(value: Any) -> bool:
    return any(f"{each.__module__}.{each.__name__}" == "PIL.Image.Image" for each in type(value).__mro__)
