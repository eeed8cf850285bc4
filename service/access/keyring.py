"""The keys of a home: in one file, which every process keeps a copy of in memory and looks at twice a second."""

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from model_store.clock import Clock, rfc3339, utc_now
from model_store.durable_files import sync
from model_store.os_errors import storage_errors
from service.access.errors import InvalidKey, KeyExists, KeyNotFound, KeysCorrupt
from service.access.keys import NAMELESS, Key, configured, digest, make
from service.access.scopes import Scope

ROUND = 0.5  # seconds between two looks at the file
MOST = 1000  # keys in the file; those that have ended go first
LONGEST_HEADER = 256
HEAD, FOOT = b'{"keys": [', b"]}"  # the first and the last line of the file
FIRST = "first"  # the name of the key that is made at a first start
_SCHEME = b"bearer "

log = logging.getLogger(__name__)
Stamp = tuple[int, int, int]


class Keyring:
    """Who is let in.

    `verify` needs memory only: a disk that hangs or fails keeps nobody out whose key is known. Once there has been a key,
    keys are asked for until the process ends, whatever becomes of the file; revoked keys stay in it, so that revoking the
    last one opens nothing either.

    Args:
        folder: of the keys; made with the first one.
        given: a key of the configuration, which stands in no file.
        now: tells the time.
        kept: called whenever keys were written to the file.

    Raises:
        KeysCorrupt: the file is damaged.
        InvalidKey: the key of the configuration is not one.
    """

    def __init__(
        self, folder: Path, given: str | None = None, now: Clock = utc_now, kept: Callable[[], None] = lambda: None
    ) -> None:
        self._folder = folder
        self._file = folder / "keys.json"
        self._now = now
        self._kept = kept
        self._given = None if given is None else configured(given, now())
        self._stamp: Stamp | None = None
        self._known: dict[bytes, Key] = {}
        self._ended = threading.Event()
        self._looking = threading.Lock()  # an old look must not undo a new one
        self.on = False
        self._take([])
        self.look()

    def verify(self, authorization: bytes | None) -> Key | None:
        """The key that an Authorization header holds, if it is valid.

        It is looked up by its SHA-256. How long that takes tells of the digest of what was sent at most, and nobody can
        choose a key by its digest: there is no need to compare byte by byte.
        """
        if authorization is None or len(authorization) > LONGEST_HEADER or authorization[:7].lower() != _SCHEME:
            return None
        key = self._known.get(digest(authorization[7:].strip(b" ")))
        return key if key is not None and time.time() < key.ends else None

    def look(self) -> None:
        """Reads the file again if it has changed.

        Raises:
            KeysCorrupt: it is damaged; what is known stays.
            OSError: it cannot be read; what is known stays.
        """
        with self._looking:
            try:
                found = self._file.stat()
            except FileNotFoundError:
                return
            stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
            if stamp != self._stamp:
                self._take(self._read())
                self._stamp = stamp

    def follow(self) -> None:
        """Looks again and again, in a thread of its own that no other work can hold up, until `close`."""
        threading.Thread(target=self._follow, name="keys", daemon=True).start()

    def close(self) -> None:
        """Ends that."""
        self._ended.set()

    def all(self) -> list[Key]:
        """Every key, the oldest first; revoked ones, too."""
        with storage_errors():
            return ([self._given] if self._given else []) + self._read()

    def create(self, name: str, scopes: Sequence[Scope], days: float | None = None) -> tuple[Key, str]:
        """A new key, and what its holder is given.

        Raises:
            InvalidName, InvalidKey: it would not be right.
            KeyExists: that name has one.
        """
        made, secret = make(name, scopes, self._now(), days)
        with self._writing() as keys:
            if any(each.name == name and each.revoked_at is None for each in keys):
                raise KeyExists
            self._write([*self._pruned(keys), made])
        return made, secret

    def first(self) -> str | None:
        """The first key, which may do everything; None where there has been one: of several who start at once one makes it."""
        made, secret = make(FIRST, [Scope.ADMIN], self._now())
        with self._writing() as keys:
            if self.on or keys:
                return None
            self._write([made])
        return secret

    def revoke(self, named: str) -> Key:
        """The key of that name or id, revoked. Other processes know within a second. A damaged one is whole again, and
        revoked.

        Raises:
            KeyNotFound: there is none, or none that was not revoked already.
        """
        with self._writing() as keys:
            for number, key in enumerate(keys):
                if named in (key.name, key.id) and (key.revoked_at is None or key.damaged):
                    keys[number] = replace(key, revoked_at=rfc3339(self._now()), damaged=False)
                    self._write(keys)
                    return keys[number]
        raise KeyNotFound

    # Beneath

    def _take(self, keys: list[Key]) -> None:
        for each in (each for each in keys if each.damaged):
            log.error("the key %s (%s) is damaged and lets nobody in: revoke it, and make another", each.name, each.id)
        valid = [each for each in keys if each.revoked_at is None and not each.damaged]
        valid += [self._given] if self._given else []
        self._known = {bytes.fromhex(each.sha256): each for each in valid}
        self.on = self.on or bool(keys) or self._given is not None

    def _follow(self) -> None:
        said = ""
        while not self._ended.wait(ROUND):
            try:
                self.look()
                said = ""
            except Exception as error:  # a key that is revoked must be seen to be, whatever went wrong before
                if str(error) != said:  # once, not twice a second
                    known = isinstance(error, KeysCorrupt | OSError)
                    log.error("the keys stay as they were: %s", error, exc_info=not known)
                said = str(error)

    def _read(self) -> list[Key]:
        try:
            data = self._file.read_bytes()
        except FileNotFoundError:
            if self._stamp is not None:
                raise KeysCorrupt(
                    "The file of keys is gone from the home; nobody may write a new one over it."
                ) from None
            return []
        keys = [_key(each, number) for number, each in enumerate(_entries(data), 1)]
        # Nothing of it can be read; nor is it ever written without a key.
        if all(each.damaged and each.id.startswith(NAMELESS) for each in keys):
            raise KeysCorrupt
        return keys

    def _pruned(self, keys: list[Key]) -> list[Key]:
        """With room for one more."""
        now = self._now()
        while len(keys) >= MOST:
            ended = next((each for each in keys if each.revoked_at or each.ends <= now.timestamp()), None)
            if ended is None:
                raise InvalidKey(f"there are {MOST} keys, the most there may be; revoke one first")
            keys = [each for each in keys if each is not ended]
        return keys

    @contextmanager
    def _writing(self) -> Iterator[list[Key]]:
        """The keys as they are now, while nobody else may change them; afterwards this process knows what came of it."""
        with storage_errors():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(self._folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield self._read()
                self.look()
            finally:
                os.close(lock)

    def _write(self, keys: list[Key]) -> None:
        # A line for each, so that damage to one is none to the others.
        lines = b",\n".join(orjson.dumps(each.to_json()) for each in keys)
        data = b"%s\n%s\n%s\n" % (HEAD, lines, FOOT)
        temporary = self._folder / "keys.new"
        temporary.unlink(missing_ok=True)  # of one that was killed; we have the lock
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            with os.fdopen(descriptor, "wb", closefd=False) as file:
                file.write(data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(self._file)
        sync(self._folder)
        self._kept()


def _entries(data: bytes) -> list[Any]:
    """What stands in the file for each key; None for what was cut off at its end."""
    try:
        keys = orjson.loads(data)["keys"]
    except (ValueError, KeyError, TypeError):
        keys = None
    if isinstance(keys, list):
        return keys
    lines = data.splitlines()
    cut = [] if lines[-1:] == [FOOT] else [None]
    return [_entry(line.removesuffix(b",")) for line in lines[1:] if line != FOOT] + cut


def _entry(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except ValueError:
        return line.decode(errors="replace")


def _key(entry: Any, number: int) -> Key:
    try:
        return Key.from_json(entry)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Key.of_damaged(entry, number)
