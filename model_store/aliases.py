"""Aliases of versions: each an append-only log of numbered entries: compare-and-swap and history in one."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass

from model_store.backends.backend import Backend
from model_store.clock import Clock, rfc3339, utc_now
from model_store.collection import Collection
from model_store.errors import (
    AliasCorrupt,
    AliasNotFound,
    KeyExists,
    NothingToRollBackTo,
    PreconditionFailed,
    VersionNotFound,
)
from model_store.names import check_alias, check_name


@dataclass(frozen=True)
class Entry:
    """One entry of an alias's log: the version it points at since `created_at` (RFC 3339 UTC), or None: deleted."""

    number: int
    version: int | None
    created_at: str


class Aliases:
    """Aliases under `<prefix>/<name>/aliases/<alias>/<entry number>`; the entry with the highest number is in force.

    Entries are created by put-if-absent and never changed; their numbers go on after a deletion, so an entry number
    never means two things. With `expected`, a change happens only while that entry is the current one, else
    PreconditionFailed; without, it is tried again until no other writer is in between. Every method raises InvalidName
    for an illegal name or alias and AliasCorrupt for an entry that cannot be read.
    """

    def __init__(self, backend: Backend, prefix: str, collection: Collection, *, now: Clock = utc_now) -> None:
        self._backend = backend
        self._prefix = prefix
        self._collection = collection
        self._now = now

    def get(self, name: str, alias: str) -> Entry:
        """The entry in force. Raises AliasNotFound when there is none or it is a deletion."""
        entry = self._last(name, alias)
        if entry is None or entry.version is None:
            raise AliasNotFound(name, alias)
        return entry

    def all(self, name: str) -> dict[str, Entry]:
        """Each alias of `name` with its entry in force; deleted ones are left out."""
        check_name(name)
        entries = {alias: self._last(name, alias) for alias in self._backend.names(f"{self._prefix}/{name}/aliases")}
        return {alias: entry for alias, entry in entries.items() if entry is not None and entry.version is not None}

    def history(self, name: str, alias: str) -> list[Entry]:
        """All entries, the oldest first, deletions included. Raises AliasNotFound when there never was one."""
        numbers = self._numbers(name, alias)
        if not numbers:
            raise AliasNotFound(name, alias)
        return [self._read(name, alias, number) for number in numbers]

    def entry(self, name: str, alias: str, number: int) -> Entry:
        """The entry with that number, which there must be."""
        check_name(name)
        check_alias(alias)
        return self._read(name, alias, number)

    def set(self, name: str, alias: str, version: int, *, expected: int | None = None, absent: bool = False) -> Entry:
        """Point the alias at `version`, with `absent` only when there is no such alias; the entry then in force.

        Where it points there already, nothing is written. Raises VersionNotFound, NameNotFound, PreconditionFailed.
        A version deleted at the same moment is never left with an alias, by this rule: here the version is looked at
        again once the entry is written, and the entry taken back when it has gone; a deletion looks at the aliases
        again once its tombstone is written. What remains: for that moment others may read the entry, and a process
        killed in it may leave an alias on a deleted version, which reads as VersionNotFound until it is set again.
        """

        def choose(current: Entry | None) -> int:
            if absent and current is not None and current.version is not None:
                raise PreconditionFailed
            if not self._collection.has(name, version):
                self._collection.latest_number(name)  # NameNotFound when there is nothing at all
                raise VersionNotFound(self._collection.prefix, name, version)
            return version

        return self._change(name, alias, expected, choose)

    def delete(self, name: str, alias: str, *, expected: int | None = None) -> Entry:
        """End the alias with an entry without a version. Raises AliasNotFound, PreconditionFailed."""

        def choose(current: Entry | None) -> None:
            if current is None or current.version is None:
                raise AliasNotFound(name, alias)

        return self._change(name, alias, expected, choose)

    def rollback(self, name: str, alias: str, *, expected: int | None = None) -> Entry:
        """Point the alias where the entry before the current one did, by a new entry.

        Raises NothingToRollBackTo when there is no entry before, it was a deletion, or its version has gone;
        AliasNotFound, PreconditionFailed.
        """

        def choose(current: Entry | None) -> int:
            if current is None or current.version is None:
                raise AliasNotFound(name, alias)
            if current.number == 1:
                raise NothingToRollBackTo
            target = self._read(name, alias, current.number - 1).version
            if target is None or not self._collection.has(name, target):
                raise NothingToRollBackTo
            return target

        return self._change(name, alias, expected, choose)

    def _change(
        self, name: str, alias: str, expected: int | None, choose: Callable[[Entry | None], int | None]
    ) -> Entry:
        while True:
            try:
                current = self._last(name, alias)
            except AliasCorrupt as error:
                current = Entry(error.entry, None, "")  # as if deleted, so that setting it anew repairs it
            if expected is not None and (current is None or current.version is None or current.number != expected):
                raise PreconditionFailed
            version = choose(current)
            if current is not None and current.version == version:
                return current
            try:
                entry = self._append(name, alias, current, version)
            except KeyExists:
                continue
            if version is not None and not self._collection.has(name, version):
                self._take_back(name, alias, entry, current)
                raise VersionNotFound(self._collection.prefix, name, version)
            return entry

    def _take_back(self, name: str, alias: str, entry: Entry, before: Entry | None) -> None:
        version = before.version if before is not None else None
        if version is not None and not self._collection.has(name, version):
            version = None
        with suppress(KeyExists):  # another writer has already moved the alias on
            self._append(name, alias, entry, version)

    def _append(self, name: str, alias: str, last: Entry | None, version: int | None) -> Entry:
        entry = Entry(last.number + 1 if last is not None else 1, version, rfc3339(self._now()))
        self._backend.create(f"{self._log(name, alias)}/{entry.number}", json.dumps(asdict(entry)).encode())
        return entry

    def _last(self, name: str, alias: str) -> Entry | None:
        numbers = self._numbers(name, alias)
        return self._read(name, alias, numbers[-1]) if numbers else None

    def _numbers(self, name: str, alias: str) -> list[int]:
        check_name(name)
        check_alias(alias)
        return sorted(map(int, self._backend.names(self._log(name, alias))))

    def _read(self, name: str, alias: str, number: int) -> Entry:
        data = self._backend.read(f"{self._log(name, alias)}/{number}")
        try:
            entry = Entry(**json.loads(data))
        except (ValueError, TypeError) as error:
            raise AliasCorrupt(name, alias, number) from error
        if entry.number != number or not isinstance(entry.version, int | None):
            raise AliasCorrupt(name, alias, number)
        return entry

    def _log(self, name: str, alias: str) -> str:
        return f"{self._prefix}/{name}/aliases/{alias}"
