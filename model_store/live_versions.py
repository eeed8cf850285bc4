"""Which versions exist, by the index and by what this process has seen of it."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping

from model_store.errors import UNREADABLE, ObjectNotFound
from model_store.live_index import Indexed
from model_store.records import Records

MOST_REMEMBERED = 100_000  # versions

Contents = Mapping[int, frozenset[str]]


class SeenVersions:
    """The contents that this process has read the record of, by name and number. Of more than `most` versions, those of the
    names that were not listed for longest are forgotten. Thread-safe."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._seen: OrderedDict[str, dict[int, str]] = OrderedDict()
        self._count = 0
        self._lock = threading.Lock()

    def of(self, name: str) -> Mapping[int, str]:
        """The content of each version of that name that was seen. Others may be added to it meanwhile."""
        with self._lock:
            if name in self._seen:
                self._seen.move_to_end(name)
            return self._seen.get(name, {})

    def add(self, name: str, number: int, content: str) -> None:
        """The version exists, with this content."""
        with self._lock:
            seen = self._seen.setdefault(name, {})
            self._count += number not in seen
            seen[number] = content
            while self._count > self._most and len(self._seen) > 1:
                self._forget(next(iter(self._seen)))

    def keep(self, name: str, numbers: Contents) -> None:
        """Forget the versions that are none of `numbers`: they were deleted."""
        with self._lock:
            seen = self._seen.get(name, {})
            for number in seen.keys() - numbers.keys():
                del seen[number]
                self._count -= 1
            if not seen:
                self._seen.pop(name, None)

    def _forget(self, name: str) -> None:
        self._count -= len(self._seen.pop(name))


class LiveVersions:
    """The versions that exist at the moment it was made: lists of them read the records that are new or in doubt."""

    def __init__(
        self,
        indexed: Indexed,
        seen: SeenVersions,
        records: Callable[[str], Records],
        all_names: Callable[[], list[str]],
    ) -> None:
        self._indexed = indexed
        self._seen = seen
        self._records = records
        self._all_names = all_names
        self._doubted = {(name, number) for name, number, _ in indexed.doubts}

    def names(self) -> list[str]:
        """The names that may have a version, sorted."""
        return sorted(self._indexed.versions) if self._indexed.built else self._all_names()

    def has_any(self, name: str) -> bool:
        """Whether the name has a version. One whose record cannot be read counts."""
        return next(self.falling(name), None) is not None

    def numbers(self, name: str) -> list[int]:
        """The numbers of all versions of that name, rising."""
        numbers = list(self.falling(name))
        if self._indexed.built:
            self._seen.keep(name, self._indexed.of(name))
        return numbers[::-1]

    def falling(self, name: str) -> Iterator[int]:
        """The numbers of versions of that name, falling; each is looked at when it is asked for."""
        if not self._indexed.built:
            yield from self._records(name).live_from_highest()
            return
        indexed, seen = self._indexed.of(name), self._seen.of(name)
        for number in sorted(indexed, reverse=True):
            known = seen.get(number) in indexed[number] and (name, number) not in self._doubted
            if known or self._look(name, number, indexed[number]):
                yield number

    def content(self, name: str, number: int) -> str | None:
        """The content of a version that a list need not look at again; None where it must."""
        content = self._seen.of(name).get(number)
        known = content in self._indexed.of(name).get(number, ()) and (name, number) not in self._doubted
        return content if known else None

    def _look(self, name: str, number: int, contents: frozenset[str]) -> bool:
        try:
            record = self._records(name).read(number)
        except ObjectNotFound:
            return False
        except UNREADABLE:
            return True
        if record.content in contents:
            self._seen.add(name, number, record.content)
        return True
