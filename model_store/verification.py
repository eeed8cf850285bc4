"""Verification of a whole store: what is damaged, missing, or does not belong to it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_store.aliases import Aliases
from model_store.backends.backend import Backend
from model_store.collection import Collection
from model_store.content_id import is_content
from model_store.contents import MANIFEST, MISSING, SIGNATURE
from model_store.damage import Damage
from model_store.errors import (
    ContentDamaged,
    InvalidName,
    MadeByNewer,
    NotFound,
    ObjectNotFound,
    StoreError,
    Unavailable,
    VersionCorrupt,
)
from model_store.names import is_alias, is_name
from model_store.record import Record
from model_store.records import RECORD, Records
from model_store.retention import KIND as RETENTION
from model_store.retention import Retention
from model_store.sealed import unseal
from model_store.series import Series, is_number
from model_store.summaries import SUMMARIES
from model_store.version import Version

STRANGE = "is none of the store's"
MOST_MISSING = 1000  # numbers that are reported one by one
KINDS = {"versions", "contents", "uses", "marks", "aliases", RETENTION}


@dataclass
class Report:
    """`damages`; how many records and alias entries are `unsealed`, as earlier Modelwrights wrote them; and how many contents
    belong to no version, and blobs to no content: `leftovers` of deletions and interrupted writes, or of writes in progress.
    `blobs` has what is wrong with each blob that was read, by its SHA-256; None if nothing."""

    damages: list[Damage] = field(default_factory=list)
    unsealed: int = 0
    leftovers: int = 0
    blobs: dict[str, str | None] = field(default_factory=dict)


class Verification:
    """Verifies a collection and its aliases, while others may change them. What cannot be read counts as damage."""

    def __init__(
        self,
        backend: Backend,
        collection: Collection,
        aliases: Aliases | None,
        report: Report,
        retention: Retention | None = None,
    ) -> None:
        self._backend = backend
        self._collection = collection
        self._aliases = aliases
        self._retention = retention
        self._report = report

    def run(self) -> None:
        """Adds what is found to the report."""
        self._check_names("", "", is_name)
        for name in self._names(""):
            if is_name(name):
                self._verify(name)

    def _verify(self, name: str) -> None:
        if not self._check_names(name, "", KINDS.__contains__):
            with suppress(StoreError):
                self._backend.read(f"{self._collection.prefix}/{name}")
                self._found(name, None, "", STRANGE)
                return
        self._check_names(name, "versions", is_number)
        self._check_names(name, "contents", is_content)
        self._check_names(name, "uses", is_number)
        self._check_names(name, "marks", (KINDS - {"contents", "marks"}).__contains__)
        for place in ("marks/versions", "marks/uses"):
            self._check_names(name, place, is_number)
        records = self._collection.records(name)
        try:
            numbers = records.numbers()
        except Unavailable as error:
            self._found(name, None, "versions", str(error))
            return
        known = {*numbers, *map(int, filter(is_number, self._names(name, "uses")))}
        in_use = {self._version(name, records, number) for number in self._expected(name, "versions", numbers, known)}
        contents = [each for each in self._names(name, "contents") if is_content(each)]
        self._report.leftovers += sum(content not in in_use for content in contents)
        for number in sorted(filter(is_number, {*self._names(name, "uses"), *self._names(name, "marks/uses")})):
            self._uses(name, int(number))
        if self._aliases is not None:
            self._check_names(name, "aliases", is_alias)
            self._check_names(name, "marks/aliases", is_alias)
            for alias in filter(is_alias, self._names(name, "aliases")):
                self._alias(name, alias, self._aliases)
        if self._retention is not None:
            self._rules(name, self._retention)

    def _version(self, name: str, records: Records, number: int) -> str | None:
        """The content of the version, if it exists and its record can be read."""
        place = records.series.key(number)
        try:
            deleted = records.uses(number).last().deleted
            data = records.series.read(number)
            record = Record.decode(place, data)
            self._report.unsealed += not unseal(place, data)[1]
        except ObjectNotFound:
            gone = deleted or records.uses(number).last().deleted
            if not gone or number == records.numbers()[-1]:  # the highest is kept: the next number follows it
                self._found(name, number, RECORD, "is missing")
            return None
        except ValueError:
            self._found(name, number, RECORD, "cannot be read")
            return None
        except (MadeByNewer, Unavailable) as error:
            self._found(name, number, RECORD, str(error))
            return None
        if not deleted and record.deleted_at is None:
            self._files(name, number, record.content)
        return record.content

    def _files(self, name: str, number: int, content: str) -> None:
        files: list[str] = []
        try:
            version = self._collection.get(name, number)
            files = sorted(version.manifest["files"])
        except NotFound:
            return  # deleted meanwhile
        except VersionCorrupt as error:
            self._found(name, number, error.file, error.reason)
        except (MadeByNewer, Unavailable) as error:
            self._found(name, number, MANIFEST, str(error))
        else:
            folders = {file.split("/")[0] for file in files}
            self._check_names(name, f"contents/{content}", {MANIFEST, SIGNATURE, "files", SUMMARIES}.__contains__)
            self._summaries(version)
            self._check_names(name, f"contents/{content}/files", folders.__contains__)
        for file in files:
            reason = self._file(name, content, file, version.manifest["files"][file])
            if reason is not None and self._collection.has(name, number):
                self._found(name, number, file, reason)

    def _file(self, name: str, content: str, file: str, expected: Mapping[str, Any]) -> str | None:
        """What is wrong with the file. A blob is read once for all versions that have it."""
        contents, known = self._collection.contents(name), self._report.blobs
        digest = expected["sha256"]
        if digest not in known:
            known[digest] = _damage(contents.blob(file, expected, read=True))
        if known[digest] is None:
            return None
        own = _damage(contents.own_file(content, file, expected, read=True))
        return known[digest] if own == MISSING else own

    def _summaries(self, version: Version) -> None:
        place = f"contents/{version.content}/{SUMMARIES}"
        for summary in self._names(version.name, place):
            try:
                whole = self._collection.summaries.find(version, summary) is not None
            except (InvalidName, Unavailable):
                whole = False
            if not whole:
                self._found(version.name, version.number, f"{place}/{summary}", "cannot be read")

    def _uses(self, name: str, number: int) -> None:
        uses = self._collection.records(name).uses(number)
        self._series(name, f"uses/{number}", uses.series, lambda each: uses.read(each) is not None)

    def _rules(self, name: str, retention: Retention) -> None:
        self._series(name, RETENTION, retention.log(name), lambda number: retention.entry(name, number) is not None)

    def _alias(self, name: str, alias: str, aliases: Aliases) -> None:
        log = aliases.log(name, alias)

        def whole(number: int) -> bool:
            self._report.unsealed += not aliases.is_sealed(name, alias, number)
            return not aliases.entry(name, alias, number).damaged

        self._series(name, f"aliases/{alias}", log, whole)
        self._reservations(name, alias, aliases)
        with suppress(StoreError):  # what cannot be read was reported already
            entry = aliases.get(name, alias)
            lost = entry.version is not None and not self._collection.has(name, entry.version)
            if lost and entry == aliases.get(name, alias):  # else it moved on before its old version was deleted
                place = f"aliases/{alias}/{entry.number}"
                self._found(name, None, place, f"points at version {entry.version}, which is not there")

    def _reservations(self, name: str, alias: str, aliases: Aliases) -> None:
        """An entry was reserved by the version that it points at; earlier Modelwrights wrote no reservations."""
        with suppress(StoreError, ValueError):  # what cannot be read was reported already
            for entry in aliases.history(name, alias):
                if entry.version is None or not aliases.is_sealed(name, alias, entry.number):
                    continue
                last = self._collection.records(name).uses(entry.version).last()
                if not last.deleted and last.aliases.get(alias, 0) < entry.number:
                    place = f"uses/{entry.version}"
                    self._found(name, None, place, f"does not say that entry {entry.number} of {alias} uses it")

    def _series(self, name: str, place: str, series: Series, whole: Callable[[int], bool]) -> None:
        self._check_names(name, place, is_number)
        try:
            numbers = series.numbers()
        except Unavailable as error:
            self._found(name, None, place, str(error))
            return
        for number in self._expected(name, place, numbers, {*numbers}):
            reason = self._reason(number, whole)
            if reason:
                self._found(name, None, f"{place}/{number}", reason)

    def _expected(self, name: str, place: str, numbers: list[int], known: set[int]) -> list[int]:
        """The numbers that there must be up to the highest; where too many are missing to name each, those that there are."""
        highest = max(numbers, default=0)
        missing = highest - len({number for number in known if number <= highest})
        if missing <= MOST_MISSING:
            return list(range(1, highest + 1))
        self._found(name, None, place, f"has {missing} numbers below {highest} missing")
        return sorted(known)

    def _reason(self, number: int, whole: Callable[[int], bool]) -> str:
        try:
            return "" if whole(number) else "cannot be read"
        except ObjectNotFound:
            return "is missing"
        except ValueError:
            return "cannot be read"
        except StoreError as error:
            return str(error)

    def _names(self, name: str, place: str = "") -> list[str]:
        try:
            return self._backend.names("/".join(filter(None, [self._root(name), place])))
        except Unavailable as error:
            self._found(name, None, place, str(error))
            return []

    def _check_names(self, name: str, place: str, known: Callable[[str], bool]) -> bool:
        """Reports the names that are not known; whether there are any names at all."""
        names = self._names(name, place)
        for each in names:
            if not known(each):
                self._found(name or each, None, "/".join(filter(None, [place, each if name else ""])), STRANGE)
        return bool(names)

    def _root(self, name: str) -> str:
        return f"{self._collection.prefix}/{name}" if name else self._collection.prefix

    def _found(self, name: str, number: int | None, file: str, reason: str) -> None:
        self._report.damages.append(Damage(name, number, file, reason))


def _damage(opened: AbstractContextManager[Path]) -> str | None:
    """What is wrong with a file, which is read."""
    try:
        with opened:
            return None
    except ContentDamaged as error:
        return error.reason
    except ObjectNotFound:
        return MISSING
    except Unavailable as error:
        return str(error)
