"""The backend for the URL of a store: one line a scheme."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

from model_store.backends.backend import Backend
from model_store.backends.bucket import check_bucket
from model_store.backends.local import LocalBackend
from model_store.errors import InvalidStoreUrl
from model_store.file_cache import FileCache

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


def _folder(url: SplitResult) -> Path:
    path = Path(os.fsdecode(unquote_to_bytes(os.fsencode(url.path))))  # a file name need not be UTF-8
    if url.netloc not in ("", "localhost") or url.query or url.fragment or not path.is_absolute() or "\0" in str(path):
        raise InvalidStoreUrl("the URL of a local store is file:///FOLDER, an absolute path")
    return path


def _objects(url: SplitResult, cache: FileCache | None) -> Backend:
    from model_store.backends.open_objects import open_objects  # obstore is loaded for such stores only

    return open_objects(url, cache)


SCHEMES: dict[str, Callable[[SplitResult, FileCache | None], Backend]] = {
    "file": lambda url, _: LocalBackend(_folder(url)),
    "s3": _objects,
    "gs": _objects,
    "az": _objects,
}


def open_backend(url: str | Path, cache: FileCache | None = None) -> Backend:
    """The backend at a URL, or in the local folder with this path; one elsewhere fetches files into `cache`.

    Raises InvalidStoreUrl, NoSpace, Unavailable and Unsuitable.
    """
    parsed = _parse(url)
    return LocalBackend(parsed) if isinstance(parsed, Path) else SCHEMES[parsed.scheme](parsed, cache)


def local_folder(url: str | Path) -> Path | None:
    """The folder of a local store; None for a store elsewhere. Raises InvalidStoreUrl."""
    parsed = _parse(url)
    if isinstance(parsed, Path):
        return parsed
    return _folder(parsed) if parsed.scheme == "file" else None


def _parse(url: str | Path) -> SplitResult | Path:
    if isinstance(url, Path) or not _SCHEME.match(url):
        return Path(url)
    try:
        parsed = urlsplit(url)
    except ValueError as error:
        raise InvalidStoreUrl("it is not a URL") from error
    if parsed.scheme not in SCHEMES:
        raise InvalidStoreUrl(f"the scheme of the URL is not one of {', '.join(SCHEMES)}")
    if parsed.scheme != "file":
        check_bucket(parsed)
    return parsed
