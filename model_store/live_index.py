"""An index of the names that have a version, so that listing them does not read those that were deleted."""

from contextlib import suppress

from model_store.backends.backend import Backend
from model_store.errors import ObjectExists, ObjectNotFound
from model_store.names import is_name
from model_store.series import is_number

BUILT = ".built"


class LiveIndex:
    """Empty keys `living/<prefix>/<name>@<number>`, one for each version, from before its record is created until after its
    tombstone is.

    After a crash it may have versions that do not exist. What it lacks, such as all versions of an earlier Modelwright, is
    added by each sweep; until the first sweep has ended it is not `built`.
    """

    def __init__(self, backend: Backend, prefix: str) -> None:
        self._backend = backend
        self._prefix = f"living/{prefix}"

    def names(self) -> list[str] | None:
        """The names in it, sorted; None when it is not built."""
        keys = self._backend.names(self._prefix)
        return sorted({entry[0] for key in keys if (entry := _entry(key))}) if BUILT in keys else None

    def entries(self) -> dict[str, set[int]]:
        """The numbers in it, by name."""
        numbers: dict[str, set[int]] = {}
        for key in self._backend.names(self._prefix):
            if entry := _entry(key):
                numbers.setdefault(entry[0], set()).add(entry[1])
        return numbers

    def add(self, name: str, number: int) -> None:
        """The version exists, or is about to."""
        self._create(f"{name}@{number}")

    def remove(self, name: str, number: int) -> None:
        """The version was deleted."""
        self._backend.delete(f"{self._prefix}/{name}@{number}")

    def built(self) -> None:
        """Every version that exists is in the index."""
        self._create(BUILT)

    def _create(self, key: str) -> None:
        try:
            self._backend.read(f"{self._prefix}/{key}")  # cheaper than a creation that fails
        except ObjectNotFound:
            with suppress(ObjectExists):
                self._backend.create(f"{self._prefix}/{key}", b"")


def _entry(key: str) -> tuple[str, int] | None:
    name, _, number = key.partition("@")
    return (name, int(number)) if is_name(name) and is_number(number) else None
