"""Aliases of versions: each is an append-only log of numbered entries, which gives compare-and-swap and history."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from model_store.alias_index import AliasIndex
from model_store.backends.backend import Backend
from model_store.clock import Clock, from_rfc3339, rfc3339, utc_now
from model_store.collection import Collection
from model_store.errors import (
    AliasCorrupt,
    AliasNotFound,
    MadeByNewer,
    NothingToRollBackTo,
    ObjectExists,
    ObjectNotFound,
    PreconditionFailed,
    StoreError,
    Unavailable,
    VersionInUse,
    VersionNotFound,
)
from model_store.names import check_alias, check_name, is_alias
from model_store.sealed import seal, unseal
from model_store.series import Series


@dataclass(frozen=True)
class Entry:
    """One entry of an alias's log: the version it points at since `created_at` (RFC 3339 UTC), or None: deleted.

    Of a damaged one only the number is known. A void one was written by a deletion, so that a late writer cannot point the
    alias at the deleted version; it is ignored but for its number.
    """

    number: int
    version: int | None
    created_at: str
    damaged: bool = False
    void: bool = False

    @property
    def deleted(self) -> bool:
        """Whether the alias ended with this entry."""
        return self.version is None and not self.damaged


class Aliases:
    """Aliases under `<prefix>/<name>/aliases/<alias>/<entry number>`; the highest entry that is not void is in force.

    Entries are created by put-if-absent and never changed; their numbers go on after a deletion, so an entry number
    never means two things. With `expected`, a change happens only while that entry is the current one, else
    PreconditionFailed; without, it is tried again until no other writer is in between. Every method raises InvalidName
    for an illegal name or alias.

    An entry is first reserved in the log of its version. A deletion writes void entries where reserved ones are missing, checks
    where the aliases point, and writes its tombstone right behind the reservations that it has seen. So an alias in force never
    points at a deleted version.
    """

    def __init__(self, backend: Backend, prefix: str, collection: Collection, *, now: Clock = utc_now) -> None:
        self._backend = backend
        self._prefix = prefix
        self.collection = collection
        self.index = AliasIndex(backend, prefix)
        self._now = now

    def get(self, name: str, alias: str) -> Entry:
        """The entry in force. Raises AliasNotFound when there is none or it is a deletion, AliasCorrupt, MadeByNewer."""
        entry = self._in_force(name, alias)
        if entry is None or entry.deleted:
            raise AliasNotFound(name, alias)
        if entry.damaged:
            raise AliasCorrupt(name, alias, entry.number)
        return entry

    def all(self, name: str) -> dict[str, Entry]:
        """Each alias of `name` with its entry in force, damaged ones too; deleted ones are left out."""
        entries = {}
        for alias in self.names(name):
            if (entry := self.shown(name, alias)[1]) is not None and not entry.deleted:
                entries[alias] = entry
        return entries

    def shown(self, name: str, alias: str) -> tuple[int, Entry | None]:
        """As `newest`, with a damaged entry where one cannot be read."""
        try:
            return self.newest(name, alias)
        except (MadeByNewer, Unavailable):
            highest = max(self.log(name, alias).numbers(), default=0)
            return highest, Entry(highest, None, "", damaged=True)

    def newest(self, name: str, alias: str) -> tuple[int, Entry | None]:
        """The highest number in the log, 0 if it is empty, and the entry in force, if there is one. Raises MadeByNewer."""
        numbers = self.log(name, alias).numbers()
        return max(numbers, default=0), self._first_in_force(name, alias, numbers)

    def history(self, name: str, alias: str, *, after: int = 0) -> Iterator[Entry]:
        """The entries numbered above `after`, the oldest first, deletions and damaged ones included, read one by one.

        Raises AliasNotFound when there never was one, MadeByNewer.
        """
        numbers = self.log(name, alias).numbers()
        found = (each for number in numbers if not (each := self._shown(name, alias, number)).void)
        first = next(found, None)
        if first is None:
            raise AliasNotFound(name, alias)
        later = (number for number in numbers if number > max(first.number, after))
        rest = (each for number in later if not (each := self._shown(name, alias, number)).void)
        return chain([first] if first.number > after else [], rest)

    def entry(self, name: str, alias: str, number: int) -> Entry:
        """The entry with that number, which there must be. Raises MadeByNewer."""
        log = self.log(name, alias)
        damaged = Entry(number, None, "", damaged=True)
        try:
            fields, _ = unseal(log.key(number), log.read(number))
            entry = Entry(**fields)
            from_rfc3339(entry.created_at)
        except ObjectNotFound:  # lost, or a folder of that name that is not the store's
            return damaged if log.marked(number) else replace(damaged, damaged=False, void=True)
        except (ValueError, TypeError):
            return damaged
        sound = type(entry.number) is int and entry.number == number and not entry.damaged
        return entry if sound and (entry.version is None or type(entry.version) is int) else damaged

    def _shown(self, name: str, alias: str, number: int) -> Entry:
        """The entry; a damaged one in its place where it cannot be read now. Raises MadeByNewer."""
        try:
            return self.entry(name, alias, number)
        except Unavailable:
            return Entry(number, None, "", damaged=True)

    def is_sealed(self, name: str, alias: str, number: int) -> bool:
        """Whether the entry is sealed; those of earlier Modelwrights are not. Raises ObjectNotFound, ValueError, MadeByNewer."""
        log = self.log(name, alias)
        return unseal(log.key(number), log.read(number))[1]

    def before(self, name: str, alias: str, number: int) -> Entry | None:
        """The entry before the one with that number, if there is one."""
        return self._in_force(name, alias, below=number)

    def set(self, name: str, alias: str, version: int, *, expected: int | None = None, absent: bool = False) -> Entry:
        """Point the alias at `version`, with `absent` only when there is no such alias; the entry then in force.

        Where it points there already, nothing is written. Raises VersionNotFound, NameNotFound, PreconditionFailed.
        """

        def choose(current: Entry | None) -> int:
            if absent and current is not None and current.version is not None:
                raise PreconditionFailed
            if not self.collection.has(name, version):
                self.collection.latest_number(name)  # NameNotFound when there is nothing at all
                raise VersionNotFound(self.collection.prefix, name, version)
            return version

        return self._change(name, alias, expected, choose)

    def delete(self, name: str, alias: str, *, expected: int | None = None) -> Entry:
        """End the alias with an entry without a version. Raises AliasNotFound, PreconditionFailed."""

        def choose(current: Entry | None) -> None:
            if current is None or current.deleted:
                raise AliasNotFound(name, alias)

        return self._change(name, alias, expected, choose)

    def rollback(self, name: str, alias: str, *, expected: int | None = None) -> Entry:
        """Point the alias where the entry before the current one did, by a new entry.

        Raises NothingToRollBackTo when there is no entry before, it was a deletion, or its version has gone;
        AliasNotFound, AliasCorrupt, PreconditionFailed.
        """

        def choose(current: Entry | None) -> int:
            if current is None or current.deleted:
                raise AliasNotFound(name, alias)
            before = self.before(name, alias, current.number)
            for entry in (current, before):
                if entry is not None and entry.damaged:
                    raise AliasCorrupt(name, alias, entry.number)
            if before is None or before.version is None or not self.collection.has(name, before.version):
                raise NothingToRollBackTo
            return before.version

        return self._change(name, alias, expected, choose)

    def check_unused(self, name: str, version: int, reserved: Mapping[str, int]) -> None:
        """Raise VersionInUse when an alias points at the version; of those `reserved` none does so later.

        A damaged alias is taken to point there when its entry was reserved for this version.
        """
        for alias, entry in reserved.items():
            self.settle(name, alias, entry)
        users = []
        for alias in self.names(name):
            entry_in_force = self._in_force(name, alias)
            if entry_in_force is None or entry_in_force.deleted:
                continue
            damaged_here = entry_in_force.damaged and reserved.get(alias, 0) >= entry_in_force.number
            if entry_in_force.version == version or damaged_here:
                users.append(alias)
        if users:
            raise VersionInUse(name, version, users)

    def settle(self, name: str, alias: str, reserved: int) -> None:
        """Write void entries up to the reserved number."""
        log = self.log(name, alias)
        while (last := max(log.numbers(), default=0)) < reserved:
            try:
                self._append(name, alias, Entry(last + 1, None, rfc3339(self._now()), void=True))
            except ObjectExists:
                continue  # the alias's own writer was faster

    def names(self, name: str) -> list[str]:
        """The names of all aliases, deleted ones included."""
        check_name(name)
        return [alias for alias in self._backend.names(f"{self._prefix}/{name}/aliases") if is_alias(alias)]

    def log(self, name: str, alias: str) -> Series:
        """The keys of the alias's entries."""
        check_name(name)
        check_alias(alias)
        return Series(self._backend, f"{self._prefix}/{name}", f"aliases/{alias}")

    def _change(
        self, name: str, alias: str, expected: int | None, choose: Callable[[Entry | None], int | None]
    ) -> Entry:
        log = self.log(name, alias)
        while True:
            numbers = log.numbers()
            current = self._in_force(name, alias)
            if expected is not None and (current is None or current.deleted or current.number != expected):
                raise PreconditionFailed
            version = choose(current)
            if current is not None and not current.damaged and current.version == version:
                return current
            number = numbers[-1] + 1 if numbers else 1
            if version is not None:
                self.collection.reserve(name, version, alias, number)
            try:
                return self._append(name, alias, Entry(number, version, rfc3339(self._now())))
            except ObjectExists:
                continue

    def _append(self, name: str, alias: str, entry: Entry) -> Entry:
        log = self.log(name, alias)
        fields: dict[str, Any] = {"number": entry.number, "version": entry.version, "created_at": entry.created_at}
        if entry.void:
            fields["void"] = True
        self.index.add(name, alias, entry.number)
        log.create(entry.number, seal(log.key(entry.number), fields))
        log.mark(entry.number)
        if entry.number > 1:
            with suppress(StoreError):  # then lists read this log, until a sweep has removed it
                self.index.remove(name, alias, entry.number - 1)
        return entry

    def _in_force(self, name: str, alias: str, below: int | None = None) -> Entry | None:
        """The highest entry that is not void. Raises MadeByNewer."""
        numbers = self.log(name, alias).numbers()
        return self._first_in_force(name, alias, [each for each in numbers if below is None or each < below])

    def _first_in_force(self, name: str, alias: str, numbers: list[int]) -> Entry | None:
        entries = (self.entry(name, alias, number) for number in reversed(numbers))
        return next((entry for entry in entries if not entry.void), None)
