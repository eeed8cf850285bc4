"""Which version a name and a reference mean right now: kept in memory, and looked up in the store again and again."""

import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from model_store import Store, Version
from model_store.errors import NotFound, StoreError
from service.serving.warm_models import WarmModels
from service.use_cases.predict import choose, warm

ROUND = 0.5  # seconds between two looks at what is in use
FRESH = 0.9  # seconds for which an answer of the store holds; past them a request asks for itself
IN_USE = 5.0  # seconds after a request for which a reference is looked up without being asked for
AGAIN = 10.0  # seconds until a version that could not be opened is tried again
MOST = 10_000  # references that are remembered

Key = tuple[str, str | None]  # a model's name, and a number, an alias, `latest` or nothing
log = logging.getLogger(__name__)


@dataclass
class _Pointer:
    version: Version  # without its manifest, which may be larger than its model
    ticket: int  # of the look that it comes from
    checked: float
    used: float
    refused: str = ""  # the digest of a version that it should point at, but that cannot be opened
    refused_at: float = 0.0


class CurrentVersions:
    """The versions that requests mean. `known` is for the event loop and touches no disk; all else may block.

    A reference moves to another version only when that one is warm. Where the store cannot be asked, or the new version
    is damaged, it stays with the one before. Each look has a ticket, so that one that began before a change of this
    process cannot undo what a later one has found.
    """

    def __init__(self, store: Store, models: WarmModels, now: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._models = models
        self._now = now
        self._pointers: dict[Key, _Pointer] = {}
        self._of: dict[str, set[Key]] = {}
        self._changed: dict[str, int] = {}  # the ticket of this process's last change, the newest last
        self._published: dict[str, int] = {}
        self._tickets = itertools.count(1)
        self._lock = threading.Lock()

    def known(self, key: Key) -> Version | None:
        """The version if that is known and holds; else `look`."""
        pointer = self._pointers.get(key)
        if pointer is None:
            return None
        pointer.used = now = self._now()
        return pointer.version if now - pointer.checked < FRESH else None

    def last_known(self, key: Key) -> Version | None:
        """The version that it meant when the store was last asked."""
        pointer = self._pointers.get(key)
        return None if pointer is None else pointer.version

    def look(self, key: Key) -> Version:
        """The version by the store, or the last known one while the store cannot say.

        Raises:
            NameNotFound, VersionNotFound: there is none.
            StoreError: the store cannot say, and never could.
        """
        while True:
            ticket = next(self._tickets)
            before, began = self._pointers.get(key), self._now()
            try:
                version: Version | None = self._open(key, before)
                missing = None
            except NotFound as error:
                version, missing = None, error
            except StoreError as error:
                if before is None:
                    raise
                log.warning("%s %s stays at version %d: %s", *key, before.version.number, error)
                version, missing = before.version, None
            if self._settle(key, ticket, version, began):
                if version is None:
                    raise missing or NotFound
                return version

    def round(self) -> None:
        """Looks up what is in use."""
        now = self._now()
        for key, pointer in list(self._pointers.items()):
            if now - pointer.used < IN_USE:
                try:
                    self.look(key)
                except StoreError:
                    pass  # it has gone, and whoever asks for it is told so
                except Exception:
                    log.exception("%s %s could not be looked up", *key)

    def follow(self, name: str) -> None:
        """This process has changed something about that model: what is in use follows before this returns."""
        with self._lock:
            keys = list(self._of.get(name, ()))
            self._changed.pop(name, None)
            self._changed[name] = next(self._tickets)
            if len(self._changed) > MOST:
                del self._changed[next(iter(self._changed))]  # the oldest; no look takes as long as so many changes
        for key in keys:
            try:
                self.look(key)
            except StoreError:
                continue

    def follow_publish(self, name: str, number: int) -> None:
        """That version is about to be shown as published: it must be what `latest` means here, or once have been."""
        if name in self._of and self._published.get(name, 0) < number:
            self.follow(name)
            with self._lock:
                if name in self._of:
                    self._published[name] = max(number, self._published.get(name, 0))

    def _open(self, key: Key, before: _Pointer | None) -> Version:
        version = choose(self._store, *key)
        if before is None or _same(version, before.version):
            return version
        if before.refused == version.digest and self._now() - before.refused_at < AGAIN:
            return before.version
        try:
            warm(self._store, self._models, version)
        except NotFound:
            raise
        except StoreError:
            before.refused, before.refused_at = version.digest, self._now()
            raise
        return version

    def _settle(self, key: Key, ticket: int, version: Version | None, checked: float) -> bool:
        """Keeps what a look has found; False when this process has changed something since it began."""
        with self._lock:
            if ticket < self._changed.get(key[0], 0):
                return False
            known = self._pointers.get(key)
            if known is not None and known.ticket > ticket:
                return True
            moved = known is None or version is None or not _same(known.version, version)
            if version is None:
                self._forget(key)
            elif known is not None:
                if moved:
                    known.version = replace(version, manifest={})
                known.ticket, known.checked = ticket, checked
            else:
                if len(self._pointers) >= MOST:
                    for old in sorted(self._pointers, key=lambda each: self._pointers[each].used)[: MOST // 10]:
                        self._forget(old)
                self._pointers[key] = _Pointer(replace(version, manifest={}), ticket, checked, used=self._now())
                self._of.setdefault(key[0], set()).add(key)
            if moved and not (key[1] or "").isdecimal():
                self._pin()
        return True

    def _forget(self, key: Key) -> None:
        if self._pointers.pop(key, None) is not None:
            self._of[key[0]].discard(key)
            if not self._of[key[0]]:
                del self._of[key[0]]
                self._published.pop(key[0], None)

    def _pin(self) -> None:
        """What a name without a number means stays warm rather than what was asked for by its number."""
        moving = [pointer for (_, reference), pointer in self._pointers.items() if not (reference or "").isdecimal()]
        self._models.pin({pointer.version.digest for pointer in moving})


def _same(one: Version, other: Version) -> bool:
    return (one.number, one.digest) == (other.number, other.digest)
