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
from service.access.errors import ApiKeyExists, ApiKeyNotFound, InvalidKey, KeysCorrupt
from service.access.keys import NAMELESS, ApiKey, configured_key, create_key, digest
from service.access.scopes import Scope

RELOAD_SECONDS = 0.5  # seconds between two looks at the file
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
        on_write: called whenever keys were written to the file.

    Raises:
        KeysCorrupt: the file is damaged.
        InvalidKey: the key of the configuration is not one.
    """

    def __init__(
        self, folder: Path, given: str | None = None, now: Clock = utc_now, on_write: Callable[[], None] = lambda: None
    ) -> None:
        self._folder = folder
        self._file = folder / "keys.json"
        self._now = now
        self._on_write = on_write
        self._configured = None if given is None else configured_key(given, now())
        self._stamp: Stamp | None = None
        self._known: dict[bytes, ApiKey] = {}
        self._ended = threading.Event()
        self._reload_lock = threading.Lock()  # an old look must not undo a new one
        self.on = False
        self._adopt([])
        self.reload()

    def verify(self, authorization: bytes | None) -> ApiKey | None:
        """The key that an Authorization header holds, if it is valid.

        It is looked up by its SHA-256. How long that takes tells of the digest of what was sent at most, and nobody can
        choose a key by its digest: there is no need to compare byte by byte.
        """
        if authorization is None or len(authorization) > LONGEST_HEADER or authorization[:7].lower() != _SCHEME:
            return None
        key = self._known.get(digest(authorization[7:].strip(b" ")))
        return key if key is not None and time.time() < key.ends else None

    def reload(self) -> None:
        """Reads the file again if it has changed.

        Raises:
            KeysCorrupt: it is damaged; what is known stays.
            OSError: it cannot be read; what is known stays.
        """
        with self._reload_lock:
            try:
                found = self._file.stat()
            except FileNotFoundError:
                return
            stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
            if stamp != self._stamp:
                self._adopt(self._read())
                self._stamp = stamp

    def start_reloading(self) -> None:
        """Looks again and again, in a thread of its own that no other work can hold up, until `close`."""
        threading.Thread(target=self._reload_repeatedly, name="keys", daemon=True).start()

    def close(self) -> None:
        """Ends that."""
        self._ended.set()

    def all(self) -> list[ApiKey]:
        """Every key, the oldest first; revoked ones, too."""
        with storage_errors():
            return ([self._configured] if self._configured else []) + self._read()

    def create(self, name: str, scopes: Sequence[Scope], days: float | None = None) -> tuple[ApiKey, str]:
        """A new key, and what its holder is given.

        Raises:
            InvalidName, InvalidKey: it would not be right.
            ApiKeyExists: that name has one.
        """
        made, secret = create_key(name, scopes, self._now(), days)
        with self._writing() as keys:
            if any(each.name == name and each.revoked_at is None for each in keys):
                raise ApiKeyExists
            self._write([*self._with_room(keys), made])
        return made, secret

    def create_first(self) -> str | None:
        """The first key, which may do everything; None where there has been one: of several who start at once one makes it."""
        made, secret = create_key(FIRST, [Scope.ADMIN], self._now())
        with self._writing() as keys:
            if self.on or keys:
                return None
            self._write([made])
        return secret

    def revoke(self, named: str) -> ApiKey:
        """The key of that name or id, revoked. Other processes know within a second. A damaged one is whole again, and
        revoked.

        Raises:
            ApiKeyNotFound: there is none, or none that was not revoked already.
        """
        with self._writing() as keys:
            for number, key in enumerate(keys):
                if named in (key.name, key.id) and (key.revoked_at is None or key.damaged):
                    keys[number] = replace(key, revoked_at=rfc3339(self._now()), damaged=False)
                    self._write(keys)
                    return keys[number]
        raise ApiKeyNotFound

    # Beneath

    def _adopt(self, keys: list[ApiKey]) -> None:
        for each in (each for each in keys if each.damaged):
            log.error("the key %s (%s) is damaged and lets nobody in: revoke it, and make another", each.name, each.id)
        valid = [each for each in keys if each.revoked_at is None and not each.damaged]
        valid += [self._configured] if self._configured else []
        self._known = {bytes.fromhex(each.sha256): each for each in valid}
        self.on = self.on or bool(keys) or self._configured is not None

    def _reload_repeatedly(self) -> None:
        said = ""
        while not self._ended.wait(RELOAD_SECONDS):
            try:
                self.reload()
                said = ""
            except Exception as error:  # a key that is revoked must be seen to be, whatever went wrong before
                if str(error) != said:  # once, not twice a second
                    known = isinstance(error, KeysCorrupt | OSError)
                    log.error("the keys stay as they were: %s", error, exc_info=not known)
                said = str(error)

    def _read(self) -> list[ApiKey]:
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

    def _with_room(self, keys: list[ApiKey]) -> list[ApiKey]:
        """With room for one more."""
        now = self._now()
        while len(keys) >= MOST:
            ended = next((each for each in keys if each.revoked_at or each.ends <= now.timestamp()), None)
            if ended is None:
                raise InvalidKey(f"there are {MOST} keys, the most there may be; revoke one first")
            keys = [each for each in keys if each is not ended]
        return keys

    @contextmanager
    def _writing(self) -> Iterator[list[ApiKey]]:
        """The keys as they are now, while nobody else may change them; afterwards this process knows what came of it."""
        with storage_errors():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(self._folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield self._read()
                self.reload()
            finally:
                os.close(lock)

    def _write(self, keys: list[ApiKey]) -> None:
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
        self._on_write()


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


def _key(entry: Any, number: int) -> ApiKey:
    try:
        return ApiKey.from_json(entry)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ApiKey.from_damaged(entry, number)
