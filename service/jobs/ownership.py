"""Which services on this home have ended: each locks a file of its own, and the system releases the lock however it ends."""

import fcntl
import os
import secrets
from pathlib import Path


class Ownership:
    """This service's name, held until `close` or the end of the process.

    Args:
        folder: where all services on this home have their files.
        all_here: whether every service on the journal has its file there, as when the journal is a file of this home.
    """

    def __init__(self, folder: Path, *, all_here: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.all_here = all_here
        self.owner = secrets.token_hex(8)
        self._descriptor = self._hold(folder / self.owner)

    def others(self) -> list[str]:
        """The names of the other services that have a file here, whether they have ended or not."""
        return [path.name for path in self._folder.iterdir() if path.name != self.owner]

    def alone(self) -> bool:
        """Whether certainly no other service uses the journal.

        Raises:
            OSError: the folder cannot be read.
        """
        return self.all_here and all(self.dead(owner) for owner in self.others())

    def dead(self, owner: str) -> bool:
        """Whether the service of that name has certainly ended. False for one on another machine."""
        return self._check(owner, remove=False)

    def forget(self, owner: str) -> None:
        """Removes the file of a service that has ended, once the journal does not name it any more."""
        self._check(owner, remove=True)

    def close(self) -> None:
        """Removes this service's file."""
        (self._folder / self.owner).unlink(missing_ok=True)
        os.close(self._descriptor)

    def _check(self, owner: str, *, remove: bool) -> bool:
        path = self._folder / owner
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        try:
            there = os.fstat(descriptor).st_nlink > 0
            if there and remove:  # while it is locked: a service that has just opened it will notice
                path.unlink()
            return there
        finally:
            os.close(descriptor)

    @staticmethod
    def _hold(path: Path) -> int:
        while True:
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # In between another service may have taken the file for that of one that has ended, and removed it.
            if os.fstat(descriptor).st_nlink:
                return descriptor
            os.close(descriptor)
