"""What lists show of each name, remembered as long as the indexes say that nothing has changed."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Generic, TypeVar

from model_store.alias_index import IndexedAliases
from model_store.aliases import Aliases, Entry
from model_store.collection import Collection
from model_store.errors import UNREADABLE, NameNotFound, NotFound, StoreError
from model_store.live_versions import LiveVersions
from model_store.names import check_name
from model_store.version import Version

MOST_NAMES = 10_000
CHECKED_AFTER = 60.0  # seconds
MOST_CHECKED = 20  # names in one list

Row = TypeVar("Row")


@dataclass(frozen=True)
class Listed(Generic[Row]):
    """A name, with the numbers of its versions, rising; the row of the latest, or the error why it cannot be read; and the
    aliases with their entries in force, damaged ones too."""

    name: str
    numbers: list[int]
    latest: Row | None
    error: StoreError | None
    aliases: Mapping[str, Entry]


@dataclass(frozen=True)
class _Remembered(Generic[Row]):
    """What was read of one name: the number, content and row of its latest version, and the newest entry of each alias, with
    its number in the log; first read at `since`, in seconds of the monotonic clock."""

    since: float
    latest: tuple[int, str, Row] | None = None
    entries: Mapping[str, tuple[int, Entry | None]] = field(default_factory=dict)


class Catalogue(Generic[Row]):
    """Lists of the names in a collection. A row is made from a version by `row`, and is small.

    A list reads the indexes, and what has changed since it was read the last time: changes by other processes are seen at
    once. Damage is not: what was read over a minute ago is read again, 20 names in each list, the oldest first. Thread-safe.
    """

    def __init__(
        self,
        collection: Collection,
        aliases: Aliases,
        row: Callable[[Version], Row],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.collection = collection
        self.aliases = aliases
        self.row = row
        self.clock = clock
        self._remembered: OrderedDict[str, _Remembered[Row]] = OrderedDict()
        self._lock = threading.Lock()

    def open(self) -> "Listing[Row]":
        """The names as they are now. Raises Unavailable."""
        return Listing(self, self.collection.live(), self.aliases.index.read())

    def find(self, name: str) -> Listed[Row]:
        """One name. Raises NameNotFound, InvalidName, Unavailable."""
        check_name(name)
        listing = self.open()
        listing.check_old([name])
        return listing.get(name)

    def remembered(self, name: str) -> _Remembered[Row]:
        """What was read of that name, if anything."""
        with self._lock:
            if name in self._remembered:
                self._remembered.move_to_end(name)
            return self._remembered.get(name, _Remembered(self.clock()))

    def remember(self, name: str, read: _Remembered[Row]) -> None:
        """In place of what was remembered before."""
        with self._lock:
            self._remembered[name] = read
            if len(self._remembered) > MOST_NAMES:
                self._remembered.popitem(last=False)

    def forget_old(self, names: Iterable[str], count: int) -> None:
        """Forget what was read over a minute ago of the `count` names for which that is longest ago."""
        limit = self.clock() - CHECKED_AFTER
        with self._lock:
            there = [(self._remembered[name].since, name) for name in names if name in self._remembered]
            for since, name in sorted(there)[:count]:
                if since <= limit:
                    del self._remembered[name]


class Listing(Generic[Row]):
    """One list of a catalogue."""

    def __init__(self, catalogue: Catalogue[Row], live: LiveVersions, aliases: IndexedAliases) -> None:
        self._catalogue = catalogue
        self._live = live
        self._aliases = aliases

    def names(self, after: str | None, count: int) -> list[str]:
        """The first `count` names that have a version, of those after `after`; sorted. Raises Unavailable."""
        names = (name for name in self._live.names() if after is None or name > after)
        found = list(islice((name for name in names if self._live.has_any(name)), count))
        self.check_old(found)
        return found

    def check_old(self, names: list[str]) -> None:
        """Let `get` read what was read long ago, of some of the names."""
        self._catalogue.forget_old(names, MOST_CHECKED)

    def get(self, name: str) -> Listed[Row]:
        """What is to be shown of that name. Raises NameNotFound, Unavailable."""
        read = before = self._catalogue.remembered(name)
        numbers = self._live.numbers(name)
        latest: Row | None = None
        error: StoreError | None = None
        while numbers:
            try:
                read, latest = self._latest(name, numbers[-1], read)
                break
            except NotFound:  # deleted meanwhile
                numbers.pop()
            except UNREADABLE as unreadable:
                error = unreadable
                break
        else:
            raise NameNotFound(self._catalogue.collection.prefix, name)
        read, aliases = self._entries(name, read)
        if read is not before:
            self._catalogue.remember(name, read)
        return Listed(name, numbers, latest, error, aliases)

    def _latest(self, name: str, number: int, read: _Remembered[Row]) -> tuple[_Remembered[Row], Row]:
        content = self._live.content(name, number)
        if content is not None and read.latest is not None and read.latest[:2] == (number, content):
            return read, read.latest[2]
        version = self._catalogue.collection.get(name, number)
        row = self._catalogue.row(version)
        return (replace(read, latest=(number, content, row)) if content == version.content else read), row

    def _entries(self, name: str, read: _Remembered[Row]) -> tuple[_Remembered[Row], dict[str, Entry]]:
        aliases, found = self._catalogue.aliases, dict[str, tuple[int, Entry | None]]()
        if not self._aliases.built:
            return read, aliases.all(name)
        settled = dict[str, tuple[int, Entry | None]]()
        for alias, numbers in sorted(self._aliases.of(name).items()):
            known = read.entries.get(alias)
            found[alias] = known if known and numbers == {known[0]} else aliases.shown(name, alias)
            _, entry = found[alias]
            if entry is None or not entry.damaged:
                settled[alias] = found[alias]
        shown = {alias: entry for alias, (_, entry) in found.items() if entry is not None and not entry.deleted}
        return (read if settled == read.entries else replace(read, entries=settled)), shown
