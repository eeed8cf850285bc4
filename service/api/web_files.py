"""The files of the dashboard, read once: each with its ETag, and compressed."""

import gzip
import hashlib
from importlib import resources
from importlib.resources.abc import Traversable
from typing import NamedTuple

TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}
FOLDERS = ("", "core", "parts", "pages", "vendor")
FEWEST_BYTES = 1000  # of a file that is worth compressing


class WebFile(NamedTuple):
    """A file: its media type, its content, the same in gzip (None if that is no smaller), and its ETag."""

    media_type: str
    content: bytes
    compressed: bytes | None
    etag: str


def read_files() -> dict[str, WebFile]:
    """The files by their path under `service/web`, such as `core/api.js`."""
    root = resources.files("service").joinpath("web")
    return {
        f"{folder}/{each.name}".lstrip("/"): _read(each)
        for folder in FOLDERS
        for each in root.joinpath(folder).iterdir()
        if each.name.rpartition(".")[2] in TYPES
    }


def _read(file: Traversable) -> WebFile:
    content = file.read_bytes()
    compressed = gzip.compress(content, 9, mtime=0) if len(content) >= FEWEST_BYTES else content
    return WebFile(
        TYPES[file.name.rpartition(".")[2]],
        content,
        compressed if len(compressed) < len(content) else None,
        f'"{hashlib.sha256(content).hexdigest()[:32]}"',
    )
