"""Copying a store while others publish, move aliases and delete.

Of each name, the small files (records, logs, alias entries, marks) are copied as they were at one moment: they never change
once they exist, so when two listings in a row are the same, all of them existed in between. Then the contents of the versions
in the copy are copied, with their blobs. A missing one was deleted meanwhile, after its tombstone was created: the small files
are listed again.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import orjson

from model_store.backends.local import LocalBackend
from model_store.blobs import PREFIX, is_digest
from model_store.collection import Collection
from model_store.contents import MANIFEST
from model_store.errors import UNREADABLE, ObjectNotFound, Unavailable
from model_store.names import is_name
from model_store.os_errors import storage_errors

COLLECTIONS = ("models", "datasets")
MOST_LISTINGS = 1000  # of one name that changes all the time


def copy_store(root: Path, target: Path) -> None:
    """Copy the store in `root` to the folder `target`, where nothing is yet. What is damaged is copied as it is.

    Raises NoSpace, and Unavailable also when a name changes all the time.
    """
    with storage_errors():
        for prefix in COLLECTIONS:
            (target / prefix).mkdir(parents=True, exist_ok=True)
            collection = Collection(LocalBackend(target), prefix)
            for source in sorted(path for path in _listed(root / prefix) if is_name(path.name) and path.is_dir()):
                _copy_name(source, target / prefix / source.name, collection)
        needed = {digest for content in target.glob("*/*/contents/*") for digest in _blobs(content)}
        for blob in _listed(target / PREFIX):
            if blob.name not in needed:
                blob.unlink()


def _copy_name(source: Path, target: Path, collection: Collection) -> None:
    copied: set[str] = set()
    lost: set[str] = set()
    while True:
        _copy_small_files(source, target, copied)
        needed = _contents(source, collection)
        missing = {each for each in needed if not _copy_content(source / "contents" / each, target / "contents" / each)}
        if missing <= lost:  # they were not deleted meanwhile: they are damaged
            break
        lost = missing
    for path in _listed(target / "contents"):
        if path.name not in needed:
            shutil.rmtree(path)


def _blobs(content: Path) -> set[str]:
    """The SHA-256 of each blob that the content needs; none when its manifest is damaged."""
    try:
        files = orjson.loads((content / MANIFEST).read_bytes())["files"]
        needed = {each["sha256"] for file, each in files.items() if not (content / "files" / file).exists()}
        return {each for each in needed if is_digest(each)}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return set()


def _copy_small_files(source: Path, target: Path, copied: set[str]) -> None:
    """Add to `copied` what was copied; afterwards it is what was there at one moment."""
    there = {*_small_files(source)}
    for _ in range(MOST_LISTINGS):
        copied |= {file for file in there - copied if _copy_file(source / file, target / file)}
        before, there = there, {*_small_files(source)}
        if there == before and there <= copied:
            break
    else:
        raise Unavailable(f"{source.name!r} changes all the time and cannot be copied.")
    for file in copied - there:
        (target / file).unlink()
        copied.remove(file)


def _small_files(source: Path) -> Iterator[str]:
    """The paths below `source` of all files but contents."""
    for path in _listed(source):
        if path.name != "contents":
            yield from (f"{path.name}/{file}" for file in _files(path))


def _files(source: Path) -> Iterator[str]:
    """The paths below `source` of all files."""
    for folder, _, files in os.walk(source, onerror=_unless_gone):
        yield from (str((Path(folder) / each).relative_to(source)) for each in files)


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _contents(source: Path, collection: Collection) -> set[str]:
    """The contents that the copied records name; all that there are where a record cannot be read."""
    found, records = set(), collection.records(source.name)
    for number in records.numbers():
        try:
            found.add(records.read(number).content)
        except ObjectNotFound:
            continue
        except UNREADABLE:
            found |= {path.name for path in _listed(source / "contents")}
    return found


def _copy_content(source: Path, target: Path) -> bool:
    """Whether it is there, and copied with all its blobs."""
    if not target.exists():
        whole = all(_copy_file(source / file, target / file) for file in _files(source))
        if not whole or not source.exists():  # deleted meanwhile
            shutil.rmtree(target, ignore_errors=True)
            return False
    missing = {digest for digest in _blobs(target) if not _copy_blob(source, target, digest)}
    return not missing


def _copy_blob(source: Path, target: Path, digest: str) -> bool:
    copy = target.parents[3] / PREFIX / digest
    return copy.exists() or _copy_file(source.parents[3] / PREFIX / digest, copy)


def _copy_file(source: Path, target: Path) -> bool:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError:
        target.unlink(missing_ok=True)
        return False
    return True


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []
