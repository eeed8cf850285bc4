"""The API keys of a home: in one file, of which each process keeps a copy in memory. It checks twice a second for changes."""

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

RELOAD_SECONDS = 0.5  # between two checks of the file
MOST = 1000  # keys in the file; expired and revoked ones are dropped first
LONGEST_HEADER = 256
HEAD, FOOT = b'{"keys": [', b"]}"  # the first and the last line of the file
FIRST = "first"  # the name of the first key
_SCHEME = b"bearer "

log = logging.getLogger(__name__)
Stamp = tuple[int, int, int]


class Keyring:
    """The keys that are accepted.

    `verify` needs memory only, so that known keys work while the disk hangs or fails. Once there has been a key, keys are
    required until the process ends, even if the file disappears. Revoked keys stay in the file, so that revoking the last
    one does not disable authentication.

    Args:
        folder: the folder of the file; created with the first key.
        given: a key of the settings, which is not in the file.
        now: the clock.
        on_write: called whenever the file was written.

    Raises:
        KeysCorrupt: the file is damaged.
        InvalidKey: the key of the settings is not valid.
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
        self._reload_lock = threading.Lock()  # an older read must not replace a newer one
        self.on = False
        self._adopt([])
        self.reload()

    def verify(self, authorization: bytes | None) -> ApiKey | None:
        """The key that an Authorization header holds, if it is valid.

        It is looked up by its SHA-256. The time of the lookup depends on that digest only, and a key cannot be chosen by its
        digest, so a comparison in constant time is not needed.
        """
        if authorization is None or len(authorization) > LONGEST_HEADER or authorization[:7].lower() != _SCHEME:
            return None
        key = self._known.get(digest(authorization[7:].strip(b" ")))
        return key if key is not None and time.time() < key.ends else None

    def reload(self) -> None:
        """Reads the file again if it has changed.

        Raises:
            KeysCorrupt: it is damaged; the keys stay as they were.
            OSError: it cannot be read; the keys stay as they were.
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
        """Starts a thread that reloads the file whenever it has changed, until `close`."""
        threading.Thread(target=self._reload_repeatedly, name="keys", daemon=True).start()

    def close(self) -> None:
        """Stops that thread."""
        self._ended.set()

    def all(self) -> list[ApiKey]:
        """Every key, the oldest first, revoked ones included."""
        with storage_errors():
            return ([self._configured] if self._configured else []) + self._read()

    def create(self, name: str, scopes: Sequence[Scope], days: float | None = None) -> tuple[ApiKey, str]:
        """A new key, and the secret for its holder.

        Raises:
            InvalidName, InvalidKey: the name, scopes or days are not valid.
            ApiKeyExists: there is a key with this name.
        """
        made, secret = create_key(name, scopes, self._now(), days)
        with self._writing() as keys:
            if any(each.name == name and each.revoked_at is None for each in keys):
                raise ApiKeyExists
            self._write([*self._with_room(keys), made])
        return made, secret

    def create_first(self) -> str | None:
        """Creates the first key, with the scope `admin`; None if there is a key, perhaps by another process."""
        made, secret = create_key(FIRST, [Scope.ADMIN], self._now())
        with self._writing() as keys:
            if self.on or keys:
                return None
            self._write([made])
        return secret

    def revoke(self, named: str) -> ApiKey:
        """Revokes the key with this name or id; other processes notice within a second. A damaged one is written anew, revoked.

        Raises:
            ApiKeyNotFound: there is none, or it was revoked already.
        """
        with self._writing() as keys:
            for number, key in enumerate(keys):
                if named in (key.name, key.id) and (key.revoked_at is None or key.damaged):
                    keys[number] = replace(key, revoked_at=rfc3339(self._now()), damaged=False)
                    self._write(keys)
                    return keys[number]
        raise ApiKeyNotFound

    def _adopt(self, keys: list[ApiKey]) -> None:
        for each in (each for each in keys if each.damaged):
            log.error("the key %s (%s) is damaged and not accepted: revoke it, and make another", each.name, each.id)
        valid = [each for each in keys if each.revoked_at is None and not each.damaged]
        valid += [self._configured] if self._configured else []
        self._known = {bytes.fromhex(each.sha256): each for each in valid}
        self.on = self.on or bool(keys) or self._configured is not None

    def _reload_repeatedly(self) -> None:
        last_error = ""
        while not self._ended.wait(RELOAD_SECONDS):
            try:
                self.reload()
                last_error = ""
            except Exception as error:  # it must not end the thread: revocations have to be noticed
                if str(error) != last_error:  # once, not twice a second
                    known = isinstance(error, KeysCorrupt | OSError)
                    log.error("the keys stay as they were: %s", error, exc_info=not known)
                last_error = str(error)

    def _read(self) -> list[ApiKey]:
        try:
            data = self._file.read_bytes()
        except FileNotFoundError:
            if self._stamp is not None:
                raise KeysCorrupt("The file of keys is gone from the home; a new one must not replace it.") from None
            return []
        keys = [_key(each, number) for number, each in enumerate(_entries(data), 1)]
        # Nothing of it can be read; nor is it ever written without a key.
        if all(each.damaged and each.id.startswith(NAMELESS) for each in keys):
            raise KeysCorrupt
        return keys

    def _with_room(self, keys: list[ApiKey]) -> list[ApiKey]:
        """The keys without some that are expired or revoked, if there is no room for another one."""
        now = self._now()
        while len(keys) >= MOST:
            ended = next((each for each in keys if each.revoked_at or each.ends <= now.timestamp()), None)
            if ended is None:
                raise InvalidKey(f"there are {MOST} keys, the most there may be; revoke one first")
            keys = [each for each in keys if each is not ended]
        return keys

    @contextmanager
    def _writing(self) -> Iterator[list[ApiKey]]:
        """Holds the lock for changes and yields the keys of the file; reloads them afterwards."""
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
        # One line a key, so that damage to one does not affect the others.
        lines = b",\n".join(orjson.dumps(each.to_json()) for each in keys)
        data = b"%s\n%s\n%s\n" % (HEAD, lines, FOOT)
        temporary = self._folder / "keys.new"
        temporary.unlink(missing_ok=True)  # left by a process that was killed; we hold the lock
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
    """The entry of each key in the file; None for what was cut off at its end."""
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
