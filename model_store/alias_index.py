"""An index of the aliases and their newest entries, so that a list reads only the logs that have changed since it read them."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from model_store.backends.backend import Backend
from model_store.errors import ObjectExists
from model_store.live_index import BUILT
from model_store.names import is_alias, is_name
from model_store.series import is_number

Numbers = Mapping[str, frozenset[int]]  # of entries, by alias


@dataclass(frozen=True)
class IndexedAliases:
    """The index at one moment: the numbers of entries by name and alias. Only if it is `built` are all aliases in it."""

    built: bool
    entries: Mapping[str, Numbers]

    def of(self, name: str) -> Numbers:
        """The entries of each alias of that name."""
        return self.entries.get(name, {})


class AliasIndex:
    """Empty keys `living/aliases/<prefix>/<name>@<alias>@<entry>`, one for each alias.

    The key of an entry is there before the entry, and stays until there is an entry with a higher number, or long after the
    alias was deleted. So the one key of an alias is that of its newest entry, or of one that was never written. Several mean
    that an entry is being written, or its writer was killed: the log must be read. Each sweep adds what is missing, and
    removes the rest; until the first has ended, the index is not `built`.
    """

    def __init__(self, backend: Backend, prefix: str) -> None:
        self._backend = backend
        self._prefix = f"living/aliases/{prefix}"
        self._listed: tuple[list[str], Mapping[str, Numbers]] = ([], {})

    def read(self) -> IndexedAliases:
        """What is in it now."""
        keys = self._backend.names(self._prefix)
        listed, entries = self._listed
        if keys != listed:
            entries = _entries(keys)
            self._listed = keys, entries
        return IndexedAliases(BUILT in keys, entries)

    def add(self, name: str, alias: str, number: int) -> None:
        """The entry exists, or is about to."""
        self._create(f"{name}@{alias}@{number}")

    def remove(self, name: str, alias: str, number: int) -> None:
        """There is a newer entry."""
        self._backend.delete(f"{self._prefix}/{name}@{alias}@{number}")

    def built(self) -> None:
        """Every alias is in the index."""
        if BUILT not in self._listed[0]:
            self._create(BUILT)

    def _create(self, key: str) -> None:
        with suppress(ObjectExists):
            self._backend.create(f"{self._prefix}/{key}", b"")


def _entries(keys: list[str]) -> Mapping[str, Numbers]:
    found: dict[str, dict[str, frozenset[int]]] = {}
    for key in keys:
        name, alias, number = [*key.split("@"), "", ""][:3]
        if is_name(name) and is_alias(alias) and is_number(number):
            numbers = found.setdefault(name, {})
            numbers[alias] = numbers.get(alias, frozenset()) | {int(number)}
    return found
