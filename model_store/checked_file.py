"""A stored file on the local disk, checked against what a manifest says of it."""

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from model_store.backends.backend import Backend
from model_store.durable_files import sync
from model_store.errors import ContentDamaged, ObjectNotFound
from model_store.known_digests import KnownDigests
from model_store.os_errors import storage_errors

WRONG_SIZE = "does not have the size that was published"

LARGE = 16 * 2**20  # bytes


def describe_file(path: Path) -> dict[str, Any]:
    """What a manifest says of a file: `sha256` (hex) and `bytes`."""
    with path.open("rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest(), "bytes": file.tell()}


def describe_new_file(path: Path) -> dict[str, Any]:
    """As `describe_file`, for a file that is to be moved into the store: a large one is flushed to the disk meanwhile, which
    the move then need not wait for. Raises OSError, also when flushing fails.
    """
    if path.stat().st_size < LARGE:
        return describe_file(path)
    with ThreadPoolExecutor(1) as threads:
        flushed = threads.submit(sync, path)
        described = describe_file(path)
        flushed.result()  # the kernel reports a failed flush only once
    return described


@contextmanager
def checked_file(
    backend: Backend, key: str, file: str, expected: Mapping[str, Any], digests: KnownDigests, *, read: bool
) -> Iterator[Path]:
    """The file at `key` on the local disk, which must have the size and SHA-256 of `expected`. It is not read if its digest is
    among `digests`; with `read` it is, always. `file` is its name in errors.

    Raises ObjectNotFound, ContentDamaged, and Unavailable when it cannot be read.
    """
    with ExitStack() as stack:
        with storage_errors():
            try:
                path = stack.enter_context(backend.local_file(key))
                if _damage(path, expected, digests, read) is not None:  # perhaps of a copy only
                    stack.close()
                    path = stack.enter_context(backend.local_file(key, fresh=True))
                    if (reason := _damage(path, expected, digests, read)) is not None:
                        raise ContentDamaged(file, reason)
            except FileNotFoundError:
                raise ObjectNotFound from None
        yield path


def _damage(path: Path, expected: Mapping[str, Any], digests: KnownDigests, read: bool) -> str | None:
    if path.stat().st_size != expected["bytes"]:
        return WRONG_SIZE
    whole = digests.sha256(path, read=read) == expected["sha256"]
    return None if whole else "does not have the SHA-256 that was published"
