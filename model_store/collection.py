"""A collection of named, numbered, immutable versions: models are one, data sets another."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from model_store.backends.backend import Backend
from model_store.clock import Clock, from_rfc3339, rfc3339, utc_now
from model_store.contents import Contents, content_made_at, describe_file, new_content_id
from model_store.errors import (
    ContentDamaged,
    KeyExists,
    KeyNotFound,
    NameNotFound,
    NotFound,
    StoreError,
    VersionCorrupt,
    VersionNotFound,
)
from model_store.fault import Fault
from model_store.manifest import decode_manifest, encode_manifest, manifest_digest
from model_store.names import check_file_names, check_name
from model_store.record import Record
from model_store.version import Version

RECORD = "record"


class Collection:
    """Versions under `<prefix>/<name>/versions/<number>` (the record) and `<prefix>/<name>/contents/<id>/`.

    A version exists exactly when its record does, and the record is created last, by put-if-absent: publishing is all
    or nothing, and safe against other threads, processes and machines on the same backend. Nothing is cached, so a
    change by one process is seen by all. Every method that takes a name raises InvalidName for an illegal one, and
    any may raise NoSpace or Unavailable.
    """

    def __init__(self, backend: Backend, prefix: str, *, now: Clock = utc_now) -> None:
        self.prefix = prefix
        self._backend = backend
        self._now = now

    def publish(
        self,
        name: str,
        manifest: Mapping[str, Any],
        files: Mapping[str, Path],
        *,
        key: str | None = None,
        since: int = 0,
    ) -> Version:
        """Publish the next version: `manifest`, with the key `files` set by the store, and `files`, moved in.

        The number is the highest ever used + 1. With a `key` it is exactly-once: when a live version numbered above
        `since` was published with the same key, before or at the same time, that version is returned instead. Whatever
        happens, a file of the caller's is moved or left where it was. Raises InvalidManifest and InvalidName.
        """
        check_name(name)
        check_file_names(files)
        used = self._used(name)
        if key is not None and (number := self._published(name, key, [n for n in used if n > since])):
            return self.get(name, number)
        described = {file: describe_file(source) for file, source in files.items()}
        data = encode_manifest({**manifest, "files": described})
        kept = decode_manifest(data)
        now = self._now()
        record = Record(manifest_digest(data), new_content_id(now), key, rfc3339(now))
        contents = self._contents(name)
        try:
            contents.write(record.content, data, files)
            number = self._claim(name, max(used, default=0) + 1, record)
        except BaseException:
            with suppress(StoreError):  # what cannot be cleaned up now is left to sweep
                self._discard(name, record.content)
            raise
        if self._record(name, number).content != record.content:
            contents.delete(record.content)
            return self.get(name, number)
        return Version(name, number, record.digest, record.created_at, kept)

    def published(self, name: str, key: str, *, since: int = 0) -> Version | None:
        """The live version numbered above `since` that was published with this key, if there is one."""
        check_name(name)
        number = self._published(name, key, [each for each in self._used(name) if each > since])
        return None if number is None else self.get(name, number)

    def get(self, name: str, number: int) -> Version:
        """The version, its manifest checked by digest. Raises NameNotFound, VersionNotFound, VersionCorrupt."""
        check_name(name)
        record = self._live(name, number)
        try:
            manifest = self._contents(name).manifest(record.content, record.digest)
        except ContentDamaged as damage:
            self._live(name, number)  # deleted between record and manifest: not found rather than corrupt
            raise VersionCorrupt(name, number, damage.file, damage.reason) from damage
        return Version(name, number, record.digest, record.created_at, manifest)

    def has(self, name: str, number: int) -> bool:
        """Whether this version exists. A record that cannot be read counts: `get` then says what is wrong with it."""
        check_name(name)
        return self._is_live(name, number)

    def numbers(self, name: str) -> list[int]:
        """The numbers of all versions, rising. Raises NameNotFound when there is none."""
        check_name(name)
        numbers = [number for number in self._used(name) if self._is_live(name, number)]
        if not numbers:
            raise NameNotFound(self.prefix, name)
        return numbers

    def latest_number(self, name: str) -> int:
        """The highest number of a version that exists. Raises NameNotFound."""
        check_name(name)
        number = next(self._live_from_highest(name), None)
        if number is None:
            raise NameNotFound(self.prefix, name)
        return number

    def latest(self, name: str) -> Version:
        """The version with the highest number. Raises NameNotFound, VersionCorrupt."""
        while True:
            try:
                return self.get(name, self.latest_number(name))
            except VersionNotFound:
                continue  # deleted in between: another is the latest now

    def names(self) -> list[str]:
        """The names that have a version, sorted."""
        return [name for name in self._backend.names(self.prefix) if any(self._live_from_highest(name))]

    def find(self, name: str, digest: str) -> Version | None:
        """The newest version with this digest, if there is one. Raises VersionCorrupt when just that one is."""
        check_name(name)
        for number in reversed(self._used(name)):
            try:
                record = self._record(name, number)
            except VersionCorrupt:
                continue
            if record.live and record.digest == digest:
                return self.get(name, number)
        return None

    def path(self, version: Version, file: str) -> Path:
        """A local path to a file of `version`, checked for size and SHA-256; read it, never write to it.

        Raises VersionCorrupt when it is damaged or missing, VersionNotFound when the version was deleted, KeyNotFound
        when the version has no such file. A deletion after the return may take the path away, not an open file.
        """
        name, number = version.name, version.number
        if file not in version.manifest["files"]:
            raise KeyNotFound("The version has no such file.")
        record = self._live(name, number)
        try:
            return self._contents(name).file(record.content, file, version.manifest["files"][file])
        except ContentDamaged as damage:
            self._live(name, number)
            raise VersionCorrupt(name, number, damage.file, damage.reason) from damage

    def delete(self, name: str, number: int, *, guard: Callable[[], None] = lambda: None) -> None:
        """Delete one version; its number is never used again. Raises NameNotFound, VersionNotFound.

        `guard` raises when the version must stay. It is asked again once the deletion shows to others; when it then
        raises, the version is put back.
        """
        check_name(name)
        place, now = self._place(name, number), rfc3339(self._now())
        try:
            record = self._live(name, number)
        except VersionCorrupt:
            record = Record("0" * 64, "0" * 32, None, now)  # names no content: that is left to sweep
        guard()
        before = self._backend.read(place)
        self._backend.replace(place, record.buried(now).encode())
        try:
            guard()
        except BaseException:
            self._backend.replace(place, before)
            raise
        self._contents(name).delete(record.content)

    def delete_all(self, name: str) -> None:
        """Delete every version of `name`. Raises NameNotFound when there is none."""
        for number in self.numbers(name):
            try:
                self.delete(name, number)
            except NotFound:
                continue  # another process deletes as well

    def sweep(self, older_than_seconds: float) -> None:
        """Remove contents that no record points at, once they are older than that: leftovers of crashes.

        `older_than_seconds` must be longer than the longest publish. A name with a record that cannot be read is left
        alone, as that record's content cannot be told from a leftover.
        """
        limit = self._now() - timedelta(seconds=older_than_seconds)
        for name in self._backend.names(self.prefix):
            contents = self._contents(name)
            # Ids first, records second: whatever is published in between is then seen as in use.
            old = [content for content in contents.ids() if content_made_at(content) <= limit]
            if not old:
                continue
            try:
                records = list(self._records(name))
            except VersionCorrupt:
                continue
            in_use = {record.content for record in records if _keeps_content(record, limit.timestamp())}
            for content in old:
                if content not in in_use:
                    contents.delete(content)

    def verify(self) -> list[Fault]:
        """Read everything again: each live version's record, manifest and files. What is wrong, by name and number."""
        return [
            fault
            for name in self._backend.names(self.prefix)
            for number in self._used(name)
            if self._is_live(name, number)
            for fault in self._faults(name, number)
        ]

    def _faults(self, name: str, number: int) -> Iterator[Fault]:
        files: list[str] = []
        try:
            version = self.get(name, number)
            files = sorted(version.manifest["files"])
        except VersionCorrupt as error:
            yield Fault(name, number, error.file, error.reason)
        except NotFound:
            return  # deleted meanwhile
        for file in files:
            try:
                self.path(version, file)
            except VersionCorrupt as error:
                yield Fault(name, number, error.file, error.reason)
            except NotFound:
                return

    def _published(self, name: str, key: str, numbers: list[int]) -> int | None:
        return next((number for number in numbers if self._has_key(name, number, key)), None)

    def _has_key(self, name: str, number: int, key: str) -> bool:
        try:
            record = self._record(name, number)
        except VersionCorrupt:
            return False  # one unreadable record must not stop every later publish
        return record.live and record.key == key

    def _discard(self, name: str, content: str) -> None:
        """Delete a content that was not published: a failed write of its record may still have written it, so look."""
        if content not in {record.content for record in self._records(name)}:
            self._contents(name).delete(content)

    def _claim(self, name: str, number: int, record: Record) -> int:
        """The number that got `record`, or that already has a record with its key."""
        while True:
            try:
                self._backend.create(self._place(name, number), record.encode())
                return number
            except KeyExists:
                # Our own bytes are our own write, told twice by a backend that tries again.
                if self._backend.read(self._place(name, number)) == record.encode():
                    return number
                if record.key is not None and self._has_key(name, number, record.key):
                    return number
                number += 1

    def _live(self, name: str, number: int) -> Record:
        try:
            record = self._record(name, number)
        except KeyNotFound:
            record = None
        if record is None or not record.live:
            if any(self._live_from_highest(name)):
                raise VersionNotFound(self.prefix, name, number)
            raise NameNotFound(self.prefix, name)
        return record

    def _is_live(self, name: str, number: int) -> bool:
        try:
            return self._record(name, number).live
        except VersionCorrupt:
            return True
        except KeyNotFound:
            return False

    def _live_from_highest(self, name: str) -> Iterator[int]:
        return (number for number in reversed(self._used(name)) if self._is_live(name, number))

    def _used(self, name: str) -> list[int]:
        """All numbers ever given, tombstones included, rising."""
        return sorted(map(int, self._backend.names(f"{self.prefix}/{name}/versions")))

    def _records(self, name: str) -> Iterator[Record]:
        return (self._record(name, number) for number in self._used(name))

    def _record(self, name: str, number: int) -> Record:
        data = self._backend.read(self._place(name, number))
        try:
            return Record.decode(data)
        except ValueError as error:
            raise VersionCorrupt(name, number, RECORD, "cannot be read") from error

    def _place(self, name: str, number: int) -> str:
        return f"{self.prefix}/{name}/versions/{number}"

    def _contents(self, name: str) -> Contents:
        return Contents(self._backend, f"{self.prefix}/{name}")


def _keeps_content(record: Record, limit: float) -> bool:
    """A young tombstone keeps its content: its deletion may still be taken back."""
    return record.deleted_at is None or from_rfc3339(record.deleted_at).timestamp() > limit
