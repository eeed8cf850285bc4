"""An index of the versions that exist, so that a list reads neither those that were deleted nor those that it has read before."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from model_store.backends.backend import Backend
from model_store.clock import Clock
from model_store.content_id import is_content, new_content_id
from model_store.errors import ObjectExists
from model_store.names import is_name
from model_store.series import is_number

BUILT = ".built"
UNKNOWN = ""  # the content of a version whose record cannot be read, or that an earlier Modelwright has indexed


@dataclass(frozen=True)
class Indexed:
    """The index at one moment: by name and number, the contents under which the version may have been published; and the
    doubts, each a name, a number and the id of the doubt. Only if it is `built` are all versions in it."""

    built: bool
    versions: Mapping[str, Mapping[int, frozenset[str]]]
    doubts: frozenset[tuple[str, int, str]]

    def of(self, name: str) -> Mapping[int, frozenset[str]]:
        """The contents of each number of that name."""
        return self.versions.get(name, {})


class LiveIndex:
    """Empty keys `living/<prefix>/<name>@<number>@<content>`, one for each version, from before its record is created until
    after its tombstone is.

    After a crash it may have versions that do not exist. What it lacks, such as all versions of an earlier Modelwright, is
    added by each sweep; until the first sweep has ended it is not `built`.

    Nobody adds a key to a version that is deleted meanwhile, nor writes a tombstone, without a doubt at
    `living/doubts/<prefix>/<name>@<number>@<id>`, which is removed after the key of the deleted version. So a process that
    has seen the key, and then the version, need not look again while the key is there without a doubt: contents are never
    used twice.
    """

    def __init__(self, backend: Backend, prefix: str, now: Clock) -> None:
        self._backend = backend
        self._versions = f"living/{prefix}"
        self._doubts = f"living/doubts/{prefix}"
        self._now = now
        self._listed: tuple[list[str], Mapping[str, Mapping[int, frozenset[str]]]] = ([], {})

    def read(self) -> Indexed:
        """What is in it now."""
        # Doubts come first: one that has been removed by now has no version in the second list.
        doubts = frozenset(filter(None, map(_doubt, self._backend.names(self._doubts))))
        keys = self._backend.names(self._versions)
        listed, versions = self._listed
        if keys != listed:
            versions = _versions(keys)
            self._listed = keys, versions
        return Indexed(BUILT in keys, versions, doubts)

    def add(self, name: str, number: int, content: str) -> None:
        """The version exists, or is about to."""
        self._create(self._key(name, number, content))

    def remove(self, name: str, number: int, content: str | None) -> None:
        """This content is not that version: it was deleted, or another content has its number. None: all contents."""
        for each in self.read().of(name).get(number, {UNKNOWN}) if content is None else {content}:
            self._backend.delete(self._key(name, number, each))

    def doubt(self, name: str, number: int) -> str:
        """From now on processes check what they remember of that version; the id of the doubt. A doubt that is not ended is
        removed by a sweep."""
        doubt = new_content_id(self._now())
        self._create(f"{self._doubts}/{name}@{number}@{doubt}")
        return doubt

    def end_doubt(self, name: str, number: int, doubt: str) -> None:
        """The index is right about that version, as far as the caller is concerned."""
        self._backend.delete(f"{self._doubts}/{name}@{number}@{doubt}")

    def built(self) -> None:
        """Every version that exists is in the index."""
        if BUILT not in self._listed[0]:
            self._create(f"{self._versions}/{BUILT}")

    def _key(self, name: str, number: int, content: str) -> str:
        return f"{self._versions}/{name}@{number}" + (f"@{content}" if content else "")

    def _create(self, key: str) -> None:
        with suppress(ObjectExists):
            self._backend.create(key, b"")


def _versions(keys: list[str]) -> Mapping[str, Mapping[int, frozenset[str]]]:
    found: dict[str, dict[int, frozenset[str]]] = {}
    for key in keys:
        name, _, version = key.partition("@")
        number, _, content = version.partition("@")
        if is_number(number) and (content == UNKNOWN or is_content(content)) and (name in found or is_name(name)):
            numbers = found.setdefault(name, {})
            numbers[int(number)] = numbers.get(int(number), frozenset()) | {content}
    return found


def _doubt(key: str) -> tuple[str, int, str] | None:
    name, number, doubt = [*key.split("@"), "", ""][:3]
    return (name, int(number), doubt) if is_name(name) and is_number(number) and is_content(doubt) else None
