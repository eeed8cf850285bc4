"""A series: keys `<parent>/<kind>/<number>`, each created once and by one writer."""

import re
from contextlib import suppress

from model_store.backends.backend import Backend
from model_store.errors import ObjectNotFound, StoreError

_NUMBER = re.compile(r"[1-9][0-9]{0,14}")


def is_number(name: str) -> bool:
    """Whether this name, found in a folder, may be one of a series."""
    return _NUMBER.fullmatch(name) is not None


class Series:
    """Numbered keys from 1 upward. Other names in their folder are ignored.

    `mark` leaves an empty key at `<parent>/marks/<kind>/<number>`, once the number is created: a marked number without its key
    was lost. A missing mark means nothing.
    """

    def __init__(self, backend: Backend, parent: str, kind: str) -> None:
        self._backend = backend
        self.prefix = f"{parent}/{kind}"
        self.marks = f"{parent}/marks/{kind}"

    def key(self, number: int) -> str:
        """The key of that number."""
        return f"{self.prefix}/{number}"

    def numbers(self) -> list[int]:
        """All numbers that are there or are marked, rising."""
        names = {*self._backend.names(self.prefix), *self._backend.names(self.marks)}
        return sorted(int(name) for name in names if is_number(name))

    def read(self, number: int) -> bytes:
        """What is stored. Raises ObjectNotFound."""
        return self._backend.read(self.key(number))

    def find(self, number: int) -> bytes | None:
        """What is stored, if there is anything."""
        try:
            return self.read(number)
        except ObjectNotFound:
            return None

    def create(self, number: int, data: bytes) -> None:
        """Create that number. Raises ObjectExists."""
        self._backend.create(self.key(number), data)

    def mark(self, number: int) -> None:
        """Leave a mark that the number was created."""
        with suppress(StoreError):  # without a mark only a loss may go undetected
            self._backend.create(f"{self.marks}/{number}", b"")

    def marked(self, number: int) -> bool:
        """Whether there is a mark."""
        try:
            self._backend.read(f"{self.marks}/{number}")
        except ObjectNotFound:
            return False
        return True

    def remove(self, number: int) -> None:
        """Remove the key and its mark. The caller must know that the number can never be created again unseen."""
        self._backend.delete(self.key(number))
        self._backend.delete(f"{self.marks}/{number}")
