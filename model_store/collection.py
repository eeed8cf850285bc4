"""A collection of named, numbered, immutable versions: models are one, data sets another."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from model_store.backends.backend import Backend
from model_store.checked_file import describe_new_file
from model_store.clock import Clock, rfc3339, utc_now
from model_store.content_id import new_content_id
from model_store.contents import MANIFEST, Contents
from model_store.deleted_names import DeletedNames
from model_store.errors import (
    UNREADABLE,
    ContentDamaged,
    Corrupt,
    MadeByNewer,
    NameNotFound,
    NotFound,
    ObjectExists,
    ObjectNotFound,
    StoreError,
    Unavailable,
    VersionCorrupt,
    VersionNotFound,
)
from model_store.known_digests import KnownDigests
from model_store.known_numbers import KnownNumbers
from model_store.live_index import LiveIndex
from model_store.live_versions import LiveVersions, SeenVersions
from model_store.manifest import decode_manifest, encode_manifest, manifest_digest
from model_store.names import check_file_names, check_name, is_name
from model_store.os_errors import storage_errors
from model_store.record import Record
from model_store.records import Records
from model_store.removals import Removals
from model_store.summaries import NO_SUMMARIES, AllFields, Summaries
from model_store.version import Sign, Version


class Collection:
    """Versions under `<prefix>/<name>/versions/<number>` (the record) and `<prefix>/<name>/contents/<id>/`, files under `blobs/`.

    A version exists from the creation of its record, which is created last, to the creation of its tombstone, in
    `<prefix>/<name>/uses/<number>/`; both by put-if-absent. So publishing and deleting are all or nothing, and safe
    against other threads, processes and machines on the same backend. Nothing is remembered that the index of live versions
    does not confirm, so a change by one process is seen by all. Every method that takes a name raises InvalidName for an
    illegal one, and any may raise NoSpace or Unavailable. `newest_format` is the highest `format` of a manifest that is
    known; higher ones raise MadeByNewer.
    """

    def __init__(self, backend: Backend, prefix: str, *, newest_format: int = 1, now: Clock = utc_now) -> None:
        self.prefix = prefix
        self.summaries = Summaries(backend, prefix)
        self._digests = KnownDigests(now)
        self._backend = backend
        self._newest_format = newest_format
        self._known = KnownNumbers()
        self.deleted_names = DeletedNames(self.records)
        self._living = LiveIndex(backend, prefix, now)
        self._seen = SeenVersions()
        self._removals = Removals(backend, now)
        self._now = now

    def publish(
        self,
        name: str,
        manifest: Mapping[str, Any],
        files: Mapping[str, Path],
        *,
        key: str | None = None,
        since: int = 0,
        sign: Sign | None = None,
    ) -> Version:
        """The version that `publish_once` answers."""
        return self.publish_once(name, manifest, files, key=key, since=since, sign=sign)[0]

    def publish_once(
        self,
        name: str,
        manifest: Mapping[str, Any],
        files: Mapping[str, Path],
        *,
        key: str | None,
        since: int = 0,
        summaries: AllFields = NO_SUMMARIES,
        sign: Sign | None = None,
    ) -> tuple[Version, bool]:
        """Publish the next version: `manifest`, with the key `files` set by the store; `files`, moved in; and `summaries`.

        The number is the highest ever used + 1. With a `key` it is exactly-once: when a live version numbered above
        `since` was published with the same key, before or at the same time, that version is answered instead, and
        False. `sign` makes the signature, which is there before the version is; what it raises ends the publish.
        Whatever happens, a file of the caller's is moved or left where it was. Raises InvalidManifest and InvalidName.
        """
        check_name(name)
        check_file_names(files)
        used = self.records(name).numbers()
        if key is not None and (known := self._published(name, key, [each for each in used if each > since])):
            return known, False
        with storage_errors():
            described = {file: describe_new_file(source) for file, source in files.items()}
        data = encode_manifest({**manifest, "files": described})
        kept, digest = decode_manifest(data), manifest_digest(data)
        signature = None if sign is None else sign(digest, kept)
        now = self._now()
        record = Record(digest, new_content_id(now), key, rfc3339(now))
        contents = self.contents(name)
        try:
            contents.write(record.content, data, described, files)
            self.summaries.write(name, record.content, summaries)
            if signature is not None:
                contents.sign(record.content, signature)
            number, known = self._claim(name, max(used, default=0) + 1, record)
        except BaseException:
            with suppress(StoreError):  # what cannot be cleaned up now is left to sweep
                self._discard(name, record.content)
            raise
        with suppress(StoreError):  # the highest number was kept while it was that
            if used and number > used[-1] and self.records(name).uses(used[-1]).last().deleted:
                self.records(name).series.remove(used[-1])
        if known is None:
            self._confirm(name, number, record)
            return Version(name, number, record.digest, record.created_at, kept, record.content), True
        with suppress(StoreError):
            contents.delete(record.content)
        return known, False

    def take(
        self,
        name: str,
        manifest: Mapping[str, Any],
        files: Mapping[str, Path],
        *,
        summaries: AllFields = NO_SUMMARIES,
        signature: bytes | None = None,
    ) -> tuple[Version, bool]:
        """The newest whole version with the digest of `manifest`, which has its `files` described; without one it is
        published, by one of several callers alone. Whether it is new. A `signature` becomes the version's in either case.
        Raises InvalidManifest and InvalidName.
        """
        check_name(name)
        digest = manifest_digest(encode_manifest(manifest))
        since = max(self.records(name).numbers(), default=0)  # before the search: nothing is published in between
        version, new = self.find(name, digest), False
        if version is None:
            key, sign = f"bundle:{digest}", None if signature is None else lambda *_: signature
            version, new = self.publish_once(
                name, manifest, files, key=key, since=since, summaries=summaries, sign=sign
            )
        if not new and signature is not None:
            self.contents(name).sign(self._live(name, version.number).content, signature)
        return version, new

    def published(self, name: str, key: str, *, since: int = 0) -> Version | None:
        """The live version numbered above `since` that was published with this key, if there is one."""
        check_name(name)
        return self._published(name, key, [each for each in self.records(name).numbers() if each > since])

    def get(self, name: str, number: int) -> Version:
        """The version, its manifest checked by digest.

        Raises NameNotFound, VersionNotFound, VersionCorrupt, MadeByNewer.
        """
        check_name(name)
        record = self._live(name, number)
        with self._as_damage_of(name, number):
            manifest = self.contents(name).manifest(record.content, record.digest)
        made_as = manifest.get("format", 1)
        if type(made_as) is not int or made_as < 1:
            raise VersionCorrupt(name, number, MANIFEST, "has a format that is no number")
        if made_as > self._newest_format:
            raise MadeByNewer(f"Version {number} of {name!r}")
        return Version(name, number, record.digest, record.created_at, manifest, record.content)

    def signature(self, version: Version) -> bytes | None:
        """The signature of `version`, not verified; None when it has none. Raises NameNotFound, VersionNotFound."""
        return self.contents(version.name).signature(self._live(version.name, version.number).content)

    def has(self, name: str, number: int) -> bool:
        """Whether this version exists. A record that cannot be read counts: `get` then says what is wrong with it."""
        check_name(name)
        return self.records(name).is_live(number)

    def record(self, name: str, number: int) -> Record | None:
        """The record of a version whose manifest may be damaged; None when the record is damaged, too.

        Raises NameNotFound, VersionNotFound.
        """
        check_name(name)
        try:
            return self._live(name, number)
        except UNREADABLE:
            return None

    def numbers(self, name: str) -> list[int]:
        """The numbers of all versions, rising. Raises NameNotFound when there is none."""
        check_name(name)
        numbers = list(self.records(name).live_from_highest())
        if not numbers:
            raise NameNotFound(self.prefix, name)
        return numbers[::-1]

    def newest(self, name: str, below: int | None, count: int) -> list[int]:
        """The `count` highest numbers of versions, below that one, falling. Raises NameNotFound when there is no version."""
        check_name(name)
        numbers = self.records(name).newest(below, count)
        return numbers if numbers or self.latest_number(name) else []

    def latest_number(self, name: str) -> int:
        """The highest number of a version that exists. Raises NameNotFound."""
        check_name(name)
        number = self.records(name).latest()
        if number is None:
            raise NameNotFound(self.prefix, name)
        return number

    def latest(self, name: str) -> Version:
        """The version with the highest number. Raises NameNotFound, VersionCorrupt, MadeByNewer."""
        while True:
            try:
                return self.get(name, self.latest_number(name))
            except VersionNotFound:
                continue  # deleted in between: another is the latest now

    def names(self) -> list[str]:
        """The names that have a version, sorted."""
        live = self.live()
        return [name for name in live.names() if live.has_any(name)]

    def live(self) -> LiveVersions:
        """The versions that exist now: cheaper than `numbers` for many names. Its methods may raise Unavailable, too."""
        return LiveVersions(self._living.read(), self._seen, self.records, self._names_not_deleted)

    def find(self, name: str, digest: str) -> Version | None:
        """The newest version with this digest that is whole in every file, if there is one."""
        check_name(name)
        records = self.records(name)
        for number in reversed(records.numbers()):
            record = records.readable(number)
            if record is None or record.digest != digest:
                continue
            with suppress(Corrupt, MadeByNewer, NotFound):
                version = self.get(name, number)
                for file in version.manifest["files"]:
                    self.check_file(version, file)
                return version
        return None

    @contextmanager
    def local_file(self, version: Version, file: str, *, read: bool = False) -> Iterator[Path]:
        """A file of `version` on the local disk for the time of the `with` block, checked for size and SHA-256 (`read`: by
        reading it, though this process has checked it before). Read it, never write to it.

        Raises VersionCorrupt when it is damaged or missing, VersionNotFound when the version was deleted, ObjectNotFound
        when the version has no such file. A deletion meanwhile may take the path away, not an open file.
        """
        name, number, expected = version.name, version.number, version.file(file)
        record = self._live(name, number)
        with ExitStack() as stack:
            with self._as_damage_of(name, number):
                path = stack.enter_context(self.contents(name).local_file(record.content, file, expected, read=read))
            yield path

    def check_file(self, version: Version, file: str) -> None:
        """Reads a file of `version`. Raises as `local_file` does."""
        with self.local_file(version, file, read=True):
            pass

    def read_range(self, version: Version, file: str, start: int, stop: int) -> bytes:
        """The bytes of a file of `version` from `start` up to `stop`, or up to its end. They are not checked by a digest.

        Raises as `local_file` does, but returns what is still there of a version that was deleted.
        """
        expected = version.file(file)
        with self._as_damage_of(version.name, version.number):
            return self.contents(version.name).read_range(version.content, file, expected, start, stop)

    def reserve(self, name: str, number: int, alias: str, entry: int) -> None:
        """Reserve the version for this entry of the alias; a deletion of the version then settles the entry first.

        Raises NameNotFound, VersionNotFound.
        """
        self.record(name, number)
        if not self.records(name).uses(number).reserve(alias, entry):
            raise VersionNotFound(self.prefix, name, number)

    def delete(self, name: str, number: int, *, guard: Callable[[Mapping[str, int]], None] = lambda _: None) -> None:
        """Delete one version; its number is never used again. Raises NameNotFound, VersionNotFound.

        Of several callers one succeeds. `guard` raises when the version must stay; it is given the entries of aliases
        that are reserved for the version, and called again whenever another was reserved before the deletion was done.
        """
        check_name(name)
        records = self.records(name)
        uses = records.uses(number)
        while True:
            last = uses.last()
            record = self.record(name, number)
            content = None if record is None else record.content
            guard(last.aliases)
            # Whatever fails from here on: lists look whether the version is still there.
            doubt = self._living.doubt(name, number)
            try:
                uses.end(last, content, rfc3339(self._now()))
                break
            except ObjectExists:
                self._living.end_doubt(name, number, doubt)
        with suppress(StoreError):  # it is deleted; what cannot be cleaned up now is left to sweep
            if content is not None:
                self.contents(name).delete(content)
            records.forget(number)
            self._living.remove(name, number, content)
            self._living.end_doubt(name, number, doubt)

    def delete_all(self, name: str) -> None:
        """Delete every version of `name`. Raises NameNotFound when there is none."""
        for number in self.numbers(name):
            with suppress(NotFound):  # another process deletes as well
                self.delete(name, number)

    # Also used by verify, upgrade and sweep

    def all_names(self) -> list[str]:
        """The names under which there is or was anything, sorted."""
        return [name for name in self._backend.names(self.prefix) if is_name(name)]

    def records(self, name: str) -> Records:
        """The records of that name."""
        return Records(self._backend, self.prefix, name, self._known)

    def contents(self, name: str) -> Contents:
        """The contents of that name."""
        return Contents(self._backend, f"{self.prefix}/{name}", self._removals, self._digests)

    @contextmanager
    def _as_damage_of(self, name: str, number: int) -> Iterator[None]:
        """Turns ContentDamaged of the block into VersionCorrupt; into NameNotFound or VersionNotFound after a deletion."""
        try:
            yield
        except ContentDamaged as damage:
            self._live(name, number)
            raise VersionCorrupt(name, number, damage.file, damage.reason) from damage

    def _published(self, name: str, key: str, numbers: list[int]) -> Version | None:
        records = self.records(name)
        for number in numbers:
            record = records.readable(number)  # one that is damaged must not stop every later publish
            if record is not None and record.key == key:
                with suppress(NotFound):  # deleted in between
                    return self.get(name, number)
        return None

    def _claim(self, name: str, number: int, record: Record) -> tuple[int, Version | None]:
        """The number that got `record`, or that has a record with its key, and then that version."""
        while True:
            found, won = self.records(name).claim(
                number, record, lambda each: self._living.add(name, each, record.content)
            )
            if won:
                return found, None
            with suppress(NotFound):  # deleted in between: then it is to be published after all
                return found, self.get(name, found)

    def _confirm(self, name: str, number: int, record: Record) -> None:
        """Raise Unavailable, after deleting the version, if a sweep took its publish for one that was broken off."""
        if self.contents(name).is_kept(record.content):
            return
        with suppress(NotFound):  # another caller has deleted the version, and so its content
            self.delete(name, number)
            raise Unavailable("A sweep removed the version's files while it was published. Publish it again.")

    def _discard(self, name: str, content: str) -> None:
        """Delete a content unless it was published: the write of its record may have failed after it was written."""
        records = self.records(name)
        for number in records.numbers():
            with suppress(ObjectNotFound):
                if records.read(number).content == content:
                    return
        self.contents(name).delete(content)

    def _names_not_deleted(self) -> list[str]:
        return [name for name in self.all_names() if not self.deleted_names.has(name)]

    def _live(self, name: str, number: int) -> Record:
        try:
            return self.records(name).read(number)
        except ObjectNotFound:
            if self._has_any(name):
                raise VersionNotFound(self.prefix, name, number) from None
            raise NameNotFound(self.prefix, name) from None

    def _has_any(self, name: str) -> bool:
        try:
            return self.records(name).latest() is not None
        except Unavailable:
            return True  # not known; reading a version will raise
