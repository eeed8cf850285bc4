"""What sweeps are about to remove, announced before they look whether it is in use.

A sweep announces an object, then looks whether it is in use, and removes it if not. A publish names an object, then looks
whether it is announced. Each writes before it reads, so at least one of the two sees the other, however slow both are.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from model_store.backends.backend import Backend
from model_store.clock import Clock
from model_store.content_id import is_content, is_made_by, new_content_id
from model_store.errors import MadeByNewer, ObjectNotFound
from model_store.sealed import seal, unseal

PREFIX = "sweeps"


@dataclass(frozen=True)
class Announced:
    """What is announced: the ids of contents and the digests of blobs; `everything` when an announcement cannot be read."""

    names: frozenset[str]
    everything: bool = False

    def __contains__(self, name: str) -> bool:
        return self.everything or name in self.names


class Removals:
    """Announcements at `sweeps/<id>`, each of one sweep; ids are those of contents, and so give their age."""

    def __init__(self, backend: Backend, now: Clock) -> None:
        self._backend = backend
        self._now = now

    @contextmanager
    def announce(self, names: Iterable[str]) -> Iterator[None]:
        """Announce them for the time of the `with` block; on an error for longer, as a removal may still take effect."""
        key = f"{PREFIX}/{new_content_id(self._now())}"
        self._backend.create(key, seal(key, {"names": sorted(names)}))
        yield
        self._backend.delete(key)

    def announced(self) -> Announced:
        """What all sweeps have announced and may not have removed yet."""
        names: set[str] = set()
        for each in self._ids():
            key = f"{PREFIX}/{each}"
            try:
                names.update(unseal(key, self._backend.read(key))[0]["names"])
            except ObjectNotFound:
                continue  # that sweep has ended
            except (ValueError, TypeError, KeyError, MadeByNewer):
                return Announced(frozenset(), everything=True)
        return Announced(frozenset(names))

    def forget(self, moment: datetime) -> None:
        """Remove the announcements that were made by then: of sweeps that were killed."""
        for each in self._ids():
            if is_made_by(each, moment):
                self._backend.delete(f"{PREFIX}/{each}")

    def _ids(self) -> list[str]:
        return [name for name in self._backend.names(PREFIX) if is_content(name)]
