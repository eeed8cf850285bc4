"""Upload a data set: survey the file in a process of its own, then keep it as a new version."""

import asyncio
import hashlib
import json
import logging
import shutil
import signal
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

import orjson
from pydantic import ValidationError

from model_store import Store, Version
from model_store.errors import Corrupt, NotFound
from model_store.os_errors import storage_errors
from service.use_cases.attempt_store import DATA
from service.use_cases.child_process import OutputTooLarge, run
from service.workflow.data.archives.item_index import ITEMS, THUMBNAILS
from service.workflow.data.reading import ReadingOptions
from service.workflow.data.survey_limits import most_memory, most_processor_seconds
from service.workflow.errors import BrokenFiles, Fault, InvalidData
from service.workflow.spec_base import FaultBudget, faults

log = logging.getLogger(__name__)

T = TypeVar("T")

HEAD = "head.json"
MOST_HEAD_BYTES = 16 * 2**20  # that are read of it; earlier versions wrote it without a bound
LEAST_SECONDS = 600  # that reading any file may take
SECONDS_PER_MEBIBYTE = 2  # of larger files
MOST_SURVEY_BYTES = 64 * 2**20  # of the JSON that a survey prints
MOST_LOGGED = 2000  # characters of a survey's stderr
MOST_AT_ONCE = 2
MOST_WAITING = 64
TOO_LONG = "reading the file took more than {} seconds"


class TooManySurveys(Exception):
    """Too many uploads wait to be read; retry in a moment."""


class Surveys:
    """The processes that read uploaded files, `MOST_AT_ONCE` at a time. It belongs to one event loop."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(MOST_AT_ONCE)
        self._waiting = 0

    def check(self) -> None:
        """Called before a body is read that would have to wait.

        Raises:
            TooManySurveys: `MOST_WAITING` others wait.
        """
        if self._waiting >= MOST_WAITING:
            raise TooManySurveys(TooManySurveys.__doc__)

    async def survey(self, path: Path, media_type: str, options: ReadingOptions, most_bytes: int) -> dict[str, Any]:
        """How the file is read and what is in it: `media_type`, `schema`, `notes`, `head`.

        Raises:
            InvalidData: the file cannot be read as what it is said to be.
            TooManySurveys: `MOST_WAITING` others wait.
            ChildHung: the process that reads it did nothing for some seconds.
        """
        self.check()
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            return await _survey(path, media_type, options, most_bytes)
        finally:
            self._free.release()


async def upload(
    surveys: Surveys, store: Store, name: str, path: Path, media_type: str, options: ReadingOptions, most_bytes: int
) -> tuple[Version, bool]:
    """Moves the file into the store; the version that holds it, and whether that is new: the same bytes as the newest version's,
    read in the same way, make no new one. `most_bytes` bounds what a compressed file becomes.

    Raises:
        InvalidData: the file cannot be read as what it is said to be.
        TooManySurveys: `MOST_WAITING` others wait.
        NoSpace, Unavailable: the disk is full, or cannot be used otherwise.
    """
    requested = {"media_type": media_type, **options.model_dump(mode="json", exclude_defaults=True)}
    digest, since, newest = await asyncio.to_thread(_compare, store, name, path)
    same = newest if newest is not None and newest.manifest["digest"] == digest else None
    if same is not None and same.manifest.get("options") == requested:
        return same, False
    found = await surveys.survey(path, media_type, options, most_bytes)
    if same is not None and _read_alike(same.manifest, found):
        return same, False  # other options with the same result
    return await _finish(asyncio.to_thread(_publish, store, name, path, found, digest, requested, since))


def _read_alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two surveys of the same bytes read them in the same way. Those of earlier releases have no bins."""

    def shown(schema: dict[str, Any]) -> dict[str, Any]:
        without = [{name: value for name, value in each.items() if name != "bins"} for each in schema["columns"]]
        return {**schema, "columns": without}

    return one["media_type"] == other["media_type"] and shown(one["schema"]) == shown(other["schema"])


async def _finish(work: Coroutine[Any, Any, T]) -> T:
    """Waits for a thread also when it is cancelled: the caller then deletes the files that the thread works on."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    finally:
        await asyncio.wait({task})


@storage_errors()
def _compare(store: Store, name: str, path: Path) -> tuple[str, int, Version | None]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), *_newest(store, name)


def _newest(store: Store, name: str) -> tuple[int, Version | None]:
    """The highest number there is, and its version unless that is damaged, which must not prevent another."""
    try:
        number = store.datasets.latest_number(name)
    except NotFound:
        return 0, None
    try:
        return number, store.datasets.get(name, number)
    except (NotFound, Corrupt):
        return number, None


@storage_errors()
def _publish(
    store: Store, name: str, path: Path, found: dict[str, Any], digest: str, requested: dict[str, Any], since: int
) -> tuple[Version, bool]:
    head = path.with_name(HEAD)
    head.write_bytes(orjson.dumps(found["head"]))
    beside = {each: path.with_name(each) for each in (ITEMS, THUMBNAILS) if path.with_name(each).exists()}
    manifest = {"format": 2, "bytes": path.stat().st_size, "digest": digest, "options": requested}
    manifest |= {each: found[each] for each in ("media_type", "schema", "notes")}
    # Of several requests with the same file at the same time, one makes the version.
    key = f"upload:{hashlib.sha256(orjson.dumps([digest, requested], option=orjson.OPT_SORT_KEYS)).hexdigest()}"
    return store.datasets.publish_once(name, manifest, {DATA: path, HEAD: head, **beside}, key=key, since=since)


def first_rows(store: Store, version: Version, most: int) -> list[dict[str, Any]]:
    """The first rows, as many as are kept and at most `most`."""
    with store.datasets.local_file(version, HEAD) as path, path.open("rb") as file:
        kept = file.read(MOST_HEAD_BYTES + 1)
    if len(kept) <= MOST_HEAD_BYTES:
        head: list[dict[str, Any]] = orjson.loads(kept)
        return head[:most]
    rows: list[dict[str, Any]] = []
    text, at, decoder = kept.decode(errors="ignore"), 1, json.JSONDecoder()
    while len(rows) < most and at < len(text):
        try:
            row, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError:  # the row that was cut off
            break
        rows.append(row)
        at += 1  # a comma
    return rows


async def read_anew(
    surveys: Surveys, store: Store, name: str, changes: Mapping[str, Any], most_bytes: int, folder: Path
) -> tuple[Version, bool]:
    """A version with the newest one's bytes, read with other options. `changes` are fields of `ReadingOptions`, merged into
    those of before as by RFC 7396; None removes one. `folder` is for temporary files.

    Raises:
        NameNotFound: there is no such data set.
        InvalidData: the file cannot be read so.
    """
    newest = await asyncio.to_thread(store.datasets.latest, name)
    before = dict(newest.manifest.get("options") or {"media_type": newest.manifest["media_type"]})
    media_type = before.pop("media_type")
    try:
        options = ReadingOptions.model_validate(_merged(before, changes), context=FaultBudget())
    except ValidationError as error:  # each of the two is valid, and together they are of too many columns
        raise InvalidData("; ".join(f"{each.pointer}: {each.message}" for each in faults(error, changes))) from None
    path = folder / "body"
    await asyncio.to_thread(_copy_data, store, newest, path)
    return await upload(surveys, store, name, path, media_type, options, most_bytes)


@storage_errors()
def _copy_data(store: Store, version: Version, target: Path) -> None:
    with store.datasets.local_file(version, DATA) as path:
        shutil.copyfile(path, target)


def _merged(before: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(before)
    for name, value in changes.items():
        merged[name] = _merged(before.get(name, {}), value) if isinstance(value, Mapping) else value
    return {name: value for name, value in merged.items() if value is not None}


async def _survey(path: Path, media_type: str, options: ReadingOptions, most_bytes: int) -> dict[str, Any]:
    size = path.stat().st_size
    most_seconds = max(LEAST_SECONDS, SECONDS_PER_MEBIBYTE * (size >> 20))
    try:
        done = await run(
            "service.workflow.data.survey",
            *(str(path), media_type, str(most_bytes)),
            stdin=options.model_dump_json(exclude_defaults=True).encode(),  # may be too long for an argument
            environment={"TMPDIR": str(path.parent), "POLARS_MAX_THREADS": "2"},
            most_seconds=most_seconds,
            most_bytes=MOST_SURVEY_BYTES,
        )
    except TimeoutError:
        raise InvalidData(TOO_LONG.format(most_seconds)) from None
    except OutputTooLarge:
        raise InvalidData("there is more to be said of the file's columns than is kept") from None
    if done.stderr:
        log.warning("stderr of the process that read an upload: %s", done.stderr.decode(errors="replace")[:MOST_LOGGED])
    if done.status == -signal.SIGXCPU:
        raise InvalidData(TOO_LONG.format(f"{most_processor_seconds(size)} processor"))
    if done.status:
        most = most_memory(size) // 2**20
        raise InvalidData(
            f"the file cannot be read: its reader stopped, at an error or for want of memory ({most} MiB)"
        )
    found: dict[str, Any] = orjson.loads(done.stdout)
    if "faults" in found:
        raise BrokenFiles(found["error"], [Fault(*each) for each in found["faults"]])
    if "error" in found:
        raise InvalidData(found["error"])
    return found
