"""The records of one name: which versions there are, from the creation of a record to that of its tombstone."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice

from model_store.backends.backend import Backend
from model_store.errors import UNREADABLE, Corrupt, MadeByNewer, ObjectExists, ObjectNotFound, VersionCorrupt
from model_store.known_numbers import KnownNumbers
from model_store.record import Record
from model_store.series import Series
from model_store.uses import Uses

RECORD = "record"
MOST_DELETED = 20  # numbers that are read in vain before all are listed


class Records:
    """Records under `<prefix>/<name>/versions/<number>`, tombstones under `<prefix>/<name>/uses/<number>/`.

    The record of a deleted version is removed once there is a higher number, so that lists cost only by existing versions. A
    record whose number has a tombstone is ignored: a slow writer may have created it again.
    """

    def __init__(self, backend: Backend, prefix: str, name: str, known: KnownNumbers | None = None) -> None:
        self._backend = backend
        self._name = name
        self._known = KnownNumbers() if known is None else known
        self._parent = f"{prefix}/{name}"
        self.series = Series(backend, self._parent, "versions")

    def uses(self, number: int) -> Uses:
        """The log of that version's uses."""
        return Uses(self._backend, self._parent, number)

    def numbers(self) -> list[int]:
        """The numbers of versions, rising; some of those that were deleted are among them, the highest always."""
        return self.series.numbers()

    def read(self, number: int) -> Record:
        """The record of a version that exists. Raises ObjectNotFound, VersionCorrupt, MadeByNewer."""
        data = self.series.find(number)
        if data is None and self.series.marked(number):
            data = self.series.find(number)  # once more: it may have been created, and marked, in between
        elif data is None:
            raise ObjectNotFound
        if self.uses(number).last().deleted:
            raise ObjectNotFound
        if data is None:
            raise VersionCorrupt(self._name, number, RECORD, "is missing")
        record = self._decode(number, data)
        if record.deleted_at is not None:
            raise ObjectNotFound
        return record

    def readable(self, number: int) -> Record | None:
        """The record of a version that exists; None where it does not, or its record is damaged or of a newer format."""
        try:
            return self.read(number)
        except (ObjectNotFound, Corrupt, MadeByNewer):
            return None

    def is_live(self, number: int) -> bool:
        """Whether the version exists. A record that cannot be read counts."""
        try:
            self.read(number)
        except ObjectNotFound:
            return False
        except UNREADABLE:
            return True
        return True

    def live_from_highest(self) -> Iterator[int]:
        """The numbers of versions that exist, falling."""
        return (number for number in reversed(self.numbers()) if self.is_live(number))

    def newest(self, below: int | None, count: int) -> list[int]:
        """The `count` highest numbers, below that one, of versions that exist, falling. Only those are read, unless many others
        were deleted."""
        highest = self._highest()
        start = highest if below is None else min(highest, below - 1)
        found: list[int] = []
        for number in range(start, max(0, start - count - MOST_DELETED), -1):
            if self.is_live(number):
                found.append(number)
            if len(found) == count:
                return found
        return list(islice((number for number in self.live_from_highest() if number <= start), count))

    def latest(self) -> int | None:
        """The highest number of a version that exists."""
        highest = self._highest()
        while True:
            found = next(iter(self.newest(highest + 1, 1)), None)
            if found == highest:
                return found
            before, highest = highest, self._highest()
            if highest == before:  # else a higher one came while the lower ones were looked at
                return found

    def claim(self, number: int, record: Record, announce: Callable[[int], None]) -> tuple[int, bool]:
        """The number that got `record`, this or the next that was free; False when it has a record with its key already.

        `announce` is called with each number before it is tried.
        """
        while True:
            announce(number)
            try:
                self.series.create(number, record.encode(self.series.key(number)))
                if self._counts(number, record):
                    self.series.mark(number)
                    return number, True
                self.series.remove(number)
            except ObjectExists:
                there = self.readable(number)
                # Our own content is our own write, which a backend has repeated.
                if there is not None and there.content == record.content:
                    return number, True
                if there is not None and record.key is not None and there.key == record.key:
                    return number, False
            number += 1

    def forget(self, number: int) -> None:
        """Remove the record of a deleted version, but not the highest number, which the next one follows."""
        if max(self.numbers(), default=0) > number:
            self.series.remove(number)

    def ensure_tombstone(self, number: int) -> bool:
        """Whether the version has a tombstone. One in the form of earlier Modelwrights is first converted."""
        uses = self.uses(number)
        last = uses.last()
        data = self.series.find(number)
        if last.deleted or data is None:
            return last.deleted
        record = self._decode(number, data)
        if record.deleted_at is None:
            return False
        with suppress(ObjectExists):
            uses.end(last, record.content, record.deleted_at)
        return True

    def _highest(self) -> int:
        return self._known.find_highest(self._name, lambda: max(self.numbers(), default=0), self._is_used)

    def _is_used(self, number: int) -> bool:
        """Whether there is or was a version with that number: its record is removed only after its tombstone is there."""
        there = self.series.find(number) is not None or self.series.marked(number)
        return there or bool(self.uses(number).series.numbers())

    def _counts(self, number: int, record: Record) -> bool:
        """Whether a record just created made a version; not if another version had the number meanwhile and was deleted."""
        last = self.uses(number).last()
        return not last.deleted or last.content == record.content

    def _decode(self, number: int, data: bytes) -> Record:
        try:
            return Record.decode(self.series.key(number), data)
        except ValueError as error:
            raise VersionCorrupt(self._name, number, RECORD, "cannot be read") from error
