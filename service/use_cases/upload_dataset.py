"""Upload a data set: survey the file in a process of its own, then keep it as a new version."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from model_store import Store, Version
from model_store.errors import Corrupt, NotFound
from model_store.os_errors import storage_errors
from service.use_cases.train import DATA
from service.workflow.data.reading import ReadingOptions
from service.workflow.errors import InvalidData
from service.workflow.specification import FaultBudget, faults

HEAD = "head.json"
MOST_SECONDS = 600


def upload(
    store: Store, name: str, path: Path, media_type: str, options: ReadingOptions, most_bytes: int
) -> tuple[Version, bool]:
    """The version that holds the file, and whether it is new: the newest version's own bytes, read in the same way, make no
    new one. The file is moved into the store. At most `most_bytes` may come out of a file that is packed.

    Raises:
        InvalidData: the file cannot be read as what it is said to be.
    """
    digest = _sha256(path)
    since, newest = _newest(store, name)
    said = {"media_type": media_type, **options.model_dump(mode="json", exclude_defaults=True)}
    same = newest if newest is not None and newest.manifest["digest"] == digest else None
    if same is not None and same.manifest.get("options") == said:
        return same, False
    found = _survey(path, media_type, options, most_bytes)
    if same is not None and all(same.manifest[each] == found[each] for each in ("media_type", "schema")):
        return same, False  # said in other words
    about = {"format": 2, "bytes": path.stat().st_size, "digest": digest, "options": said}
    head = path.with_name(HEAD)
    head.write_bytes(orjson.dumps(found["head"]))
    about |= {each: found[each] for each in ("media_type", "schema", "notes")}
    # Of several that send the same file at the same time, one makes the version.
    key = f"upload:{hashlib.sha256(orjson.dumps([digest, said], option=orjson.OPT_SORT_KEYS)).hexdigest()}"
    return store.datasets.publish_once(name, about, {DATA: path, HEAD: head}, key=key, since=since)


def _newest(store: Store, name: str) -> tuple[int, Version | None]:
    """The highest number there is, and its version if that is whole: a damaged one is no reason to refuse another."""
    try:
        number = store.datasets.latest_number(name)
    except NotFound:
        return 0, None
    try:
        return number, store.datasets.get(name, number)
    except (NotFound, Corrupt):
        return number, None


def read_anew(
    store: Store, name: str, changes: Mapping[str, Any], most_bytes: int, folder: Path
) -> tuple[Version, bool]:
    """A version with the newest one's bytes, read in another way. `changes` are fields of `ReadingOptions` that join
    those of before, of single columns too; None takes it back. `folder` is for temporary files.

    Raises:
        NameNotFound: there is no such data set.
        InvalidData: the file cannot be read so.
    """
    newest = store.datasets.latest(name)
    before = dict(newest.manifest.get("options") or {"media_type": newest.manifest["media_type"]})
    media_type = before.pop("media_type")
    try:
        both = ReadingOptions.model_validate(_joined(before, changes), context=FaultBudget())
    except ValidationError as error:  # each of the two is valid, and they are too many columns together
        raise InvalidData("; ".join(f"{each.pointer}: {each.message}" for each in faults(error, changes))) from None
    path = folder / "body"
    with storage_errors():
        shutil.copyfile(store.datasets.path(newest, DATA), path)
    return upload(store, name, path, media_type, both, most_bytes)


def _joined(before: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """As RFC 7396 has it for objects in objects."""
    joined = dict(before)
    for name, value in changes.items():
        joined[name] = _joined(before.get(name, {}), value) if isinstance(value, Mapping) else value
    return {name: value for name, value in joined.items() if value is not None}


def _survey(path: Path, media_type: str, options: ReadingOptions, most_bytes: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "service.workflow.data.survey"]
    arguments = [str(path), media_type, str(most_bytes)]
    said = options.model_dump_json(exclude_defaults=True).encode()  # may be longer than an argument
    environment = {"PATH": os.environ.get("PATH", ""), "TMPDIR": str(path.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(  # noqa: S603
            [*command, *arguments], input=said, capture_output=True, timeout=MOST_SECONDS, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        raise InvalidData(f"reading the file took more than {MOST_SECONDS} seconds") from None
    if done.returncode:
        raise InvalidData("the file cannot be read: its reader stopped, at an error or for want of memory")
    found: dict[str, Any] = orjson.loads(done.stdout)
    if "error" in found:
        raise InvalidData(found["error"])
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
