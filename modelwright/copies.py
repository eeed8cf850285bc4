"""Copies a version from one service to another, whole or not at all."""

import hashlib
import tempfile
import zipfile
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeAlias

from modelwright.calls import Version, json_of, path, version_path
from modelwright.drivers import Waiting
from modelwright.errors import ApiError, TransferFailed, UnexpectedAnswer, Unreachable
from modelwright.json_types import Json, is_object
from modelwright.ranged_downloads import receive
from modelwright.steps import By, Call, Steps
from modelwright.tries import Tries
from modelwright.uploads import discard, send, take

Progress: TypeAlias = Callable[[str, int, int], object]

MANIFEST = "manifest.json"
MOST_MANIFEST_BYTES = 64 * 2**20
MOST_BESIDE_FILES = 2 * MOST_MANIFEST_BYTES  # bytes of a bundle that are not those of the files in the manifest
_PAGE = 1000


def copy(
    source: Any, target: Any, name: str, version: Version, as_name: str, alias: str | None, progress: Progress | None
) -> Steps[Json]:
    """Copies a version; see `Transfers`."""
    if isinstance(source, Waiting) is not isinstance(target, Waiting):
        raise TypeError("both clients must be of one kind: Client, or AsyncClient")
    manifest = yield By(source, json_of(Call("GET", version_path(name, version))))
    number, digest, most = _facts(manifest)
    before = None if alias is None else (yield By(target, _entry(as_name, alias)))["entry"]
    copied = yield By(target, _find(as_name, digest))
    new = copied is None
    if copied is None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "bundle.zip"
            with file.open("w+b") as bundle:
                steps = receive(version_path(name, number, "bundle"), bundle, most, _of("download", progress))
                yield By(source, steps)
            check_bundle(file, digest)
            copied = yield By(target, _give(file, as_name, digest, _of("upload", progress)))
    if alias is not None:
        yield By(target, _move(as_name, alias, copied["version"], before))
    return {"name": as_name, "version": copied["version"], "digest": digest, "new": new}


def check_bundle(file: Path, digest: str) -> None:
    """Checks that a file is the bundle of the version with this digest, as far as its manifest shows: that has the digests
    of all other files, which the service compares. Raises TransferFailed."""
    try:
        with zipfile.ZipFile(file) as archive:
            about = archive.getinfo(MANIFEST)
            stored = about.compress_type == zipfile.ZIP_STORED and about.file_size <= MOST_MANIFEST_BYTES
            if stored and hashlib.sha256(archive.read(about)).hexdigest() == digest:
                return
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, NotImplementedError, RuntimeError):
        pass
    raise TransferFailed("What arrived is not the bundle of the version with this digest; nothing was imported.")


def _facts(manifest: Json) -> tuple[int, str, int]:
    """The number and the digest of a version, and how many bytes its bundle may have."""
    number, digest, files = manifest.get("version"), manifest.get("digest"), manifest.get("files")
    if type(number) is not int or not isinstance(digest, str) or not is_object(files):
        raise UnexpectedAnswer
    sizes = [each.get("bytes") if is_object(each) else None for each in files.values()]
    if not all(type(size) is int and size >= 0 for size in sizes):
        raise UnexpectedAnswer
    return number, digest, sum(size for size in sizes if size) + MOST_BESIDE_FILES


def _of(stage: str, progress: Progress | None) -> Callable[[int, int], object]:
    return lambda done, size: None if progress is None else progress(stage, done, size)


def _find(name: str, digest: str) -> Steps[Json | None]:
    """The newest undamaged version of a model with this digest."""
    query: dict[str, Any] = {"limit": _PAGE}
    while True:
        try:
            page = yield from json_of(Call("GET", path("models", name, "versions"), query=query))
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        number = None
        for each in page.get("data") or ():
            number = each.get("version") if is_object(each) else None
            if type(number) is not int or number >= query.get("after", number + 1):
                raise UnexpectedAnswer
            if each.get("digest") == digest and not each.get("error"):
                return {"version": number, "digest": digest}
        if not page.get("has_more") or number is None:
            return None
        query["after"] = number


def _give(file: Path, name: str, digest: str, progress: Callable[[int, int], object]) -> Steps[Json]:
    """Uploads a bundle and imports it."""
    upload = yield from send(file, progress)
    tries, repeated = Tries(), False
    while True:
        try:
            # If an answer was lost, the upload may be imported, and gone.
            if repeated and (found := (yield from _find(name, digest))) is not None:
                return found
            taken = yield from take(name, upload)
            break
        except (Unreachable, ApiError) as error:
            try:
                pause = tries.failed(error)
            except ApiError:
                yield from discard(upload)
                raise
            repeated = True
            yield pause
    if taken.get("digest") != digest or type(taken.get("version")) is not int:
        raise TransferFailed("The service has imported a version with another digest than the one that was sent.")
    return taken


def _entry(name: str, alias: str) -> Steps[Json]:
    """An alias, its `entry` None where there is none."""
    try:
        found = yield from json_of(Call("GET", path("models", name, "aliases", alias)))
    except ApiError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return {"entry": None, "version": None}
    if type(found.get("entry")) is not int:
        raise UnexpectedAnswer
    return found


def _move(name: str, alias: str, version: int, before: int | None) -> Steps[None]:
    """Points an alias at a version, if its newest entry is still `before`."""
    headers = {"If-None-Match": "*"} if before is None else {"If-Match": f'"{before}"'}
    tries = Tries()
    while True:
        try:
            yield Call("PUT", path("models", name, "aliases", alias), headers=headers, json={"version": version})
            return
        except (Unreachable, ApiError) as error:
            if isinstance(error, ApiError) and error.status == HTTPStatus.PRECONDITION_FAILED:
                if (yield from _entry(name, alias))["version"] == version:
                    return  # by a request of ours whose answer was lost
                raise TransferFailed(
                    f"{name}@{version} is there, but {alias} was moved by someone else meanwhile, and stays as it is."
                ) from None
            yield tries.failed(error)
