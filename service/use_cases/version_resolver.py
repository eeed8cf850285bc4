"""Resolves references to versions from memory, and refreshes them from the store in the background."""

import itertools
import logging
import threading
import time
from collections.abc import Callable, Set
from dataclasses import dataclass

from model_store import Version
from model_store.errors import NotFound, StoreError
from service.model_reference import ModelReference
from service.serving.served_version import ServedVersion
from service.use_cases.predict import served

ROUND = 0.5  # seconds between two look-ups of the references in use
FRESH = 0.9  # seconds for which a look-up is valid
IN_USE = 5.0  # seconds after a request in which its reference is refreshed
AGAIN = 10.0  # seconds until loading a version is retried after a failure
MOST = 10_000  # references in memory

log = logging.getLogger(__name__)


@dataclass
class _Pointer:
    version: ServedVersion
    ticket: int  # of its last look-up
    checked: float
    used: float
    refused: str = ""  # the digest of the version in the store, if that cannot be loaded
    refused_at: float = 0.0


class VersionResolver:
    """A cache of the versions of references. `known` and `last_known` do not block; all other methods may.

    A reference moves to another version once its model is loaded. It keeps the old version while the store cannot be read, or the
    new version is damaged. Each look-up has a ticket: an older one never overwrites the result of a newer one, and is repeated if
    this process has changed the model since.

    Args:
        choose: resolves a name and a reference in the store.
        load: loads a version's model into memory.
        pin: sets the digests whose models are evicted last.
        now: the clock, in seconds.
        most: references in memory; the least recently used are dropped.
    """

    def __init__(
        self,
        choose: Callable[[str, str | None], Version],
        load: Callable[[ServedVersion], object],
        pin: Callable[[Set[str]], None],
        now: Callable[[], float] = time.monotonic,
        most: int = MOST,
    ) -> None:
        self._choose = choose
        self._load = load
        self._pin_models = pin
        self._now = now
        self._most = most
        self._pointers: dict[ModelReference, _Pointer] = {}
        self._of: dict[str, set[ModelReference]] = {}
        self._changed: dict[str, int] = {}  # the ticket of this process's last change, the newest last
        self._published: dict[str, int] = {}
        self._tickets = itertools.count(1)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._pointers)

    def known(self, key: ModelReference) -> ServedVersion | None:
        """The version if its look-up is still valid."""
        pointer = self._pointers.get(key)
        if pointer is None:
            return None
        pointer.used = now = self._now()
        return pointer.version if now - pointer.checked < FRESH else None

    def last_known(self, key: ModelReference) -> ServedVersion | None:
        """The version of the last look-up."""
        pointer = self._pointers.get(key)
        return None if pointer is None else pointer.version

    def look_up(self, key: ModelReference) -> ServedVersion:
        """The version in the store, or the last known one while the store cannot be read.

        Raises:
            NameNotFound, VersionNotFound: it does not exist.
            StoreError: the store cannot be read, and no version is known.
        """
        while True:
            ticket = next(self._tickets)
            before, began = self._pointers.get(key), self._now()
            try:
                version: ServedVersion | None = self._find(key, before)
                missing = None
            except NotFound as error:
                version, missing = None, error
            except StoreError as error:
                if before is None:
                    raise
                log.warning("%s %s stays at version %d: %s", *key, before.version.number, error)
                version, missing = before.version, None
            if self._keep(key, ticket, version, began):
                if version is None:
                    raise missing or NotFound
                return version

    def round(self) -> None:
        """Looks up the references in use."""
        now = self._now()
        for key, pointer in list(self._pointers.items()):
            if now - pointer.used < IN_USE:
                try:
                    self.look_up(key)
                except StoreError:
                    pass  # raised to the next request
                except Exception:
                    log.exception("%s %s could not be looked up", *key)

    def follow(self, name: str) -> None:
        """Looks up the references to a model after this process has changed it."""
        with self._lock:
            keys = list(self._of.get(name, ()))
            self._changed.pop(name, None)
            self._changed[name] = next(self._tickets)
            if len(self._changed) > self._most:
                del self._changed[next(iter(self._changed))]  # the oldest: no look-up lasts for so many changes
        for key in keys:
            try:
                self.look_up(key)
            except StoreError:
                continue

    def follow_publish(self, name: str, number: int) -> None:
        """Looks up the references to a model before a new version is shown as published, so that `latest` already means it."""
        if name in self._of and self._published.get(name, 0) < number:
            self.follow(name)
            with self._lock:
                if name in self._of:
                    self._published[name] = max(number, self._published.get(name, 0))

    def _find(self, key: ModelReference, before: _Pointer | None) -> ServedVersion:
        version = served(self._choose(*key))
        if before is None or version == before.version:
            return version
        if before.refused == version.digest and self._now() - before.refused_at < AGAIN:
            return before.version
        try:
            self._load(version)
        except NotFound:
            raise
        except StoreError:
            before.refused, before.refused_at = version.digest, self._now()
            raise
        return version

    def _keep(self, key: ModelReference, ticket: int, version: ServedVersion | None, checked: float) -> bool:
        """Keeps the result of a look-up. Returns False if this process has changed the model since the look-up began."""
        with self._lock:
            if ticket < self._changed.get(key[0], 0):
                return False
            known = self._pointers.get(key)
            if known is not None and known.ticket > ticket:
                return True
            moved = known is None or version is None or known.version != version
            if version is None:
                self._forget(key)
            elif known is not None:
                if moved:
                    known.version = version
                known.ticket, known.checked = ticket, checked
            else:
                if len(self._pointers) >= self._most:
                    for old in sorted(self._pointers, key=lambda each: self._pointers[each].used)[
                        : max(1, self._most // 10)
                    ]:
                        self._forget(old)
                self._pointers[key] = _Pointer(version, ticket, checked, used=self._now())
                self._of.setdefault(key[0], set()).add(key)
            if moved and not (key[1] or "").isdecimal():
                self._pin()
        return True

    def _forget(self, key: ModelReference) -> None:
        if self._pointers.pop(key, None) is not None:
            self._of[key[0]].discard(key)
            if not self._of[key[0]]:
                del self._of[key[0]]
                self._published.pop(key[0], None)

    def _pin(self) -> None:
        """Pins the models of references by alias, `latest` or none rather than those by number."""
        moving = [pointer for (_, reference), pointer in self._pointers.items() if not (reference or "").isdecimal()]
        self._pin_models({pointer.version.digest for pointer in moving})
