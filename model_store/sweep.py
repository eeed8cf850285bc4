"""What crashed processes left behind, and blobs that no version has any more: found and removed. Indexes: repaired."""

from collections.abc import Iterable
from datetime import datetime

from model_store.aliases import Aliases
from model_store.blobs import Blobs
from model_store.clock import from_rfc3339
from model_store.collection import Collection
from model_store.content_id import is_made_by
from model_store.errors import UNREADABLE, ContentDamaged, ObjectNotFound
from model_store.live_index import UNKNOWN, Indexed, LiveIndex
from model_store.removals import Removals

MOST_ANNOUNCED = 10_000  # blobs at a time


class CollectionSweep:
    """A sweep of one collection, which remembers the blobs of each content that it has read: a manifest never changes."""

    def __init__(self, collection: Collection, living: LiveIndex, removals: Removals) -> None:
        self._collection = collection
        self._living = living
        self._removals = removals
        self._blobs: dict[str, dict[str, frozenset[str]]] = {}

    def run(self, moment: datetime) -> bool:
        """Remove contents that belong to no version and were begun by `moment`, and records of deleted versions. The index of
        live versions is repaired, too. Whether the content of every version is there.

        A name with a record that is missing or cannot be read is skipped, since the content of that record cannot be
        distinguished from a leftover.
        """
        indexed, readable, whole = self._living.read(), True, True
        for name in self._collection.all_names():
            try:
                self._repair_index(name, indexed, moment)
            except UNREADABLE:  # until that is repaired, names are listed without the index
                readable = False
            try:
                whole &= self._sweep(name, moment)
            except UNREADABLE:
                whole = False
        if readable:
            self._living.built()
        return whole

    def blobs(self) -> set[str]:
        """The SHA-256 of each file of each version, and of each publish in progress. Raises one of UNREADABLE if not all are
        known."""
        found: set[str] = set()
        for name in self._collection.all_names():
            contents = self._collection.contents(name)
            ids, known = contents.ids(), self._blobs.get(name, {})
            digests = self._digests(name) if not known.keys() >= {*ids} else {}
            self._blobs[name] = {}
            for content in ids:
                try:
                    blobs = known[content] if content in known else contents.blobs(content, digests.get(content))
                except ObjectNotFound:
                    if content in digests:
                        raise ContentDamaged("manifest.json", "is missing") from None
                    continue  # it is deleted, or about to be written
                self._blobs[name][content] = blobs
                found |= blobs
        return found

    def _digests(self, name: str) -> dict[str, str]:
        """The digest of the manifest of each content that belongs to a version."""
        records = self._collection.records(name)
        found = (records.readable(number) for number in records.numbers())
        return {record.content: record.digest for record in found if record is not None}

    def _repair_index(self, name: str, indexed: Indexed, moment: datetime) -> None:
        there, living = indexed.of(name), self._living_contents(name)
        for number, content in living.items():
            contents = there.get(number, frozenset())
            if content not in contents and not (content == UNKNOWN and contents):
                self._add(name, number, content)
        for number, contents in there.items():
            for content in contents - {living.get(number)}:
                if self._is_superfluous(name, number, content, living):
                    self._living.remove(name, number, content)
        for each, number, doubt in indexed.doubts:
            if each == name and is_made_by(doubt, moment):
                self._living.end_doubt(name, number, doubt)

    def _living_contents(self, name: str) -> dict[int, str]:
        """The content of each version that exists, by its number."""
        records, found = self._collection.records(name), {}
        for number in [] if self._collection.deleted_names.has(name) else records.numbers():
            try:
                found[number] = records.read(number).content
            except ObjectNotFound:
                continue
            except UNREADABLE:
                found[number] = UNKNOWN
        return found

    def _is_superfluous(self, name: str, number: int, content: str, living: dict[int, str]) -> bool:
        """Whether an indexed content, none of `living`, cannot become that version: another content is it, it was deleted, or
        its publish has failed. Else it may be about to be published."""
        if number in living:
            return living[number] != UNKNOWN
        if self._collection.records(name).uses(number).last().deleted:
            return True
        return content != UNKNOWN and content not in self._collection.contents(name).ids()

    def _add(self, name: str, number: int, content: str) -> None:
        doubt = self._living.doubt(name, number)  # it may be deleted just now
        self._living.add(name, number, content)
        if not self._collection.records(name).is_live(number):
            self._living.remove(name, number, content)
        self._living.end_doubt(name, number, doubt)

    def _sweep(self, name: str, moment: datetime) -> bool:
        contents = self._collection.contents(name)
        if self._collection.deleted_names.has_one(name) and not contents.ids():
            return True  # only the traces of its used numbers are left
        # Ids first, records second: whatever is published in between is then seen as in use.
        there = contents.ids()
        in_use = self._in_use(name)
        old = {content for content in there if is_made_by(content, moment)} - in_use
        if old:
            with self._removals.announce(old):
                for content in old - self._in_use(name):
                    contents.delete(content)
        return in_use <= {*there} or self._in_use(name) <= {*contents.ids()}

    def _in_use(self, name: str) -> set[str]:
        """The contents of versions. Records of deleted versions are removed."""
        records, found = self._collection.records(name), set()
        numbers = records.numbers()
        for number in numbers:
            try:
                found.add(records.read(number).content)
            except ObjectNotFound:
                if records.ensure_tombstone(number) and number < numbers[-1]:
                    records.series.remove(number)
        return found


def sweep_alias_index(aliases: Aliases, moment: datetime) -> None:
    """Add to the index of aliases what it lacks, and remove what is not needed."""
    indexed, readable = aliases.index.read(), True
    for name in aliases.collection.all_names():
        try:
            for alias in aliases.names(name):
                _sweep_alias(aliases, name, alias, indexed.of(name).get(alias, frozenset()), moment)
        except UNREADABLE:  # until that is repaired, aliases are listed without the index
            readable = False
    if readable:
        aliases.index.built()


def _sweep_alias(aliases: Aliases, name: str, alias: str, there: frozenset[int], moment: datetime) -> None:
    highest, entry = aliases.shown(name, alias)
    if max(there, default=0) > highest:
        aliases.settle(name, alias, max(there))  # its writer was killed, or will write the next number
        return
    ended = entry is not None and entry.deleted and from_rfc3339(entry.created_at) <= moment
    if highest and not ended and highest not in there:
        aliases.index.add(name, alias, highest)
    for number in there if ended else there - {highest}:
        aliases.index.remove(name, alias, number)


def sweep_blobs(blobs: Blobs, removals: Removals, sweeps: Iterable[CollectionSweep]) -> None:
    """Remove the blobs that no manifest names. Raises one of UNREADABLE, and removes nothing, if not all manifests can be read.

    Blobs are listed before manifests: one that is put meanwhile is not removed.
    """

    def named() -> set[str]:
        return {digest for each in sweeps for digest in each.blobs()}

    there = blobs.digests()
    unnamed = sorted(there - named()) if there else []
    for start in range(0, len(unnamed), MOST_ANNOUNCED):
        some = unnamed[start : start + MOST_ANNOUNCED]
        with removals.announce(some):
            for digest in {*some} - named():
                blobs.delete(digest)
