"""The names whose versions were all deleted, remembered, since their traces stay for ever."""

from collections.abc import Callable
from contextlib import suppress

from model_store.errors import Unavailable
from model_store.records import Records


class DeletedNames:
    """The names of a collection that were found to have no version, with the numbers that were there then."""

    def __init__(self, records: Callable[[str], Records]) -> None:
        self._records = records
        self._deleted: dict[str, list[int]] = {}

    def has(self, name: str) -> bool:
        """Whether every version was deleted, which is remembered until there is another number."""
        with suppress(Unavailable):
            records = self._records(name)
            numbers = records.numbers()
            if numbers == self._deleted.get(name):
                return True
            if records.latest() is not None:
                return False
            if all(records.uses(number).last().deleted for number in numbers):
                self._deleted[name] = numbers
            return True
        return False

    def has_one(self, name: str) -> bool:
        """Whether `has` has found that one version at most is left of the name, and that it is deleted."""
        return len(self._deleted.get(name, (1, 2))) <= 1
