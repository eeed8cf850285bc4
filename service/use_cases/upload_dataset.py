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
from service.use_cases.child_process import SaidTooMuch, run
from service.workflow.data.reading import ReadingOptions
from service.workflow.data.survey_limits import most_memory, most_processor_seconds
from service.workflow.errors import InvalidData
from service.workflow.spec_base import FaultBudget, faults

log = logging.getLogger(__name__)

T = TypeVar("T")

HEAD = "head.json"
MOST_HEAD_BYTES = 16 * 2**20  # that are read of it; those of before had no bound
MOST_SECONDS = 600
MOST_SURVEY_BYTES = 64 * 2**20  # of a survey's answer
MOST_LOGGED = 2000  # characters of what a survey says to the log
MOST_AT_ONCE = 2
MOST_WAITING = 64
WAITED_LONG = "reading the file took more than {} seconds"


class TooManySurveys(Exception):
    """Too many uploads wait to be read; send it again soon."""


class Surveys:
    """The processes that read uploaded files, `MOST_AT_ONCE` at a time. It belongs to one event loop."""

    def __init__(self) -> None:
        self._seats = asyncio.Semaphore(MOST_AT_ONCE)
        self._waiting = 0

    def check(self) -> None:
        """Before a body is read that would have to wait.

        Raises:
            TooManySurveys: as many wait as may.
        """
        if self._waiting >= MOST_WAITING:
            raise TooManySurveys(TooManySurveys.__doc__)

    async def survey(self, path: Path, media_type: str, options: ReadingOptions, most_bytes: int) -> dict[str, Any]:
        """How the file is read and what is in it: `media_type`, `schema`, `notes`, `head`.

        Raises:
            InvalidData: the file cannot be read as what it is said to be.
            TooManySurveys: so many others wait that this one is not taken on.
            StoodStill: the process that reads it did nothing for some seconds.
        """
        self.check()
        self._waiting += 1
        try:
            await self._seats.acquire()
        finally:
            self._waiting -= 1
        try:
            return await _survey(path, media_type, options, most_bytes)
        finally:
            self._seats.release()


async def upload(
    surveys: Surveys, store: Store, name: str, path: Path, media_type: str, options: ReadingOptions, most_bytes: int
) -> tuple[Version, bool]:
    """The version that holds the file, and whether it is new: the newest version's own bytes, read in the same way, make no
    new one. The file is moved into the store. At most `most_bytes` may come out of a file that is packed.

    Raises:
        InvalidData: the file cannot be read as what it is said to be.
        TooManySurveys: so many others wait that this one is not taken on.
        NoSpace, Unavailable: the disk is full, or cannot be used otherwise.
    """
    said = {"media_type": media_type, **options.model_dump(mode="json", exclude_defaults=True)}
    digest, since, newest = await asyncio.to_thread(_look, store, name, path)
    same = newest if newest is not None and newest.manifest["digest"] == digest else None
    if same is not None and same.manifest.get("options") == said:
        return same, False
    found = await surveys.survey(path, media_type, options, most_bytes)
    if same is not None and all(same.manifest[each] == found[each] for each in ("media_type", "schema")):
        return same, False  # said in other words
    return await _to_its_end(asyncio.to_thread(_keep, store, name, path, found, digest, said, since))


async def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Work in a thread on files that are gone once the caller is: whoever is cancelled waits for it all the same."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    finally:
        await asyncio.wait({task})


@storage_errors()
def _look(store: Store, name: str, path: Path) -> tuple[str, int, Version | None]:
    return _sha256(path), *_newest(store, name)


@storage_errors()
def _keep(
    store: Store, name: str, path: Path, found: dict[str, Any], digest: str, said: dict[str, Any], since: int
) -> tuple[Version, bool]:
    about = {"format": 2, "bytes": path.stat().st_size, "digest": digest, "options": said}
    head = path.with_name(HEAD)
    head.write_bytes(orjson.dumps(found["head"]))
    about |= {each: found[each] for each in ("media_type", "schema", "notes")}
    # Of several that send the same file at the same time, one makes the version.
    key = f"upload:{hashlib.sha256(orjson.dumps([digest, said], option=orjson.OPT_SORT_KEYS)).hexdigest()}"
    return store.datasets.publish_once(name, about, {DATA: path, HEAD: head}, key=key, since=since)


def first_rows(store: Store, version: Version, most: int) -> list[dict[str, Any]]:
    """The first rows as they are shown, as many as are kept and at most `most`."""
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
        except json.JSONDecodeError:  # here it was cut
            break
        rows.append(row)
        at += 1  # a comma
    return rows


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


async def read_anew(
    surveys: Surveys, store: Store, name: str, changes: Mapping[str, Any], most_bytes: int, folder: Path
) -> tuple[Version, bool]:
    """A version with the newest one's bytes, read in another way. `changes` are fields of `ReadingOptions` that join
    those of before, of single columns too; None takes it back. `folder` is for temporary files.

    Raises:
        NameNotFound: there is no such data set.
        InvalidData: the file cannot be read so.
    """
    newest = await asyncio.to_thread(store.datasets.latest, name)
    before = dict(newest.manifest.get("options") or {"media_type": newest.manifest["media_type"]})
    media_type = before.pop("media_type")
    try:
        both = ReadingOptions.model_validate(_joined(before, changes), context=FaultBudget())
    except ValidationError as error:  # each of the two is valid, and they are too many columns together
        raise InvalidData("; ".join(f"{each.pointer}: {each.message}" for each in faults(error, changes))) from None
    path = folder / "body"
    await asyncio.to_thread(_copy_data, store, newest, path)
    return await upload(surveys, store, name, path, media_type, both, most_bytes)


@storage_errors()
def _copy_data(store: Store, version: Version, target: Path) -> None:
    with store.datasets.local_file(version, DATA) as path:
        shutil.copyfile(path, target)


def _joined(before: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """As RFC 7396 has it for objects in objects."""
    joined = dict(before)
    for name, value in changes.items():
        joined[name] = _joined(before.get(name, {}), value) if isinstance(value, Mapping) else value
    return {name: value for name, value in joined.items() if value is not None}


async def _survey(path: Path, media_type: str, options: ReadingOptions, most_bytes: int) -> dict[str, Any]:
    said = options.model_dump_json(exclude_defaults=True).encode()  # may be longer than an argument
    try:
        done = await run(
            "service.workflow.data.survey",
            *(str(path), media_type, str(most_bytes)),
            said=said,
            environment={"TMPDIR": str(path.parent), "POLARS_MAX_THREADS": "2"},
            most_seconds=MOST_SECONDS,
            most_bytes=MOST_SURVEY_BYTES,
        )
    except TimeoutError:
        raise InvalidData(WAITED_LONG.format(MOST_SECONDS)) from None
    except SaidTooMuch:
        raise InvalidData("there is more to be said of the file's columns than is kept") from None
    if done.errors:
        log.warning("the process that read an upload says: %s", done.errors.decode(errors="replace")[:MOST_LOGGED])
    if done.status == -signal.SIGXCPU:
        raise InvalidData(WAITED_LONG.format(f"{most_processor_seconds(path.stat().st_size)} processor")) from None
    if done.status:
        most = most_memory(path.stat().st_size) // 2**20
        raise InvalidData(
            f"the file cannot be read: its reader stopped, at an error or for want of memory ({most} MiB)"
        )
    found: dict[str, Any] = orjson.loads(done.output)
    if "error" in found:
        raise InvalidData(found["error"])
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
