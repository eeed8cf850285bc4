"""Which services on this home are dead: each holds a lock on a file of its own, which the system takes back however it
ends."""

import fcntl
import os
import secrets
from pathlib import Path


class Ownership:
    """This service's name, held until `close` or the end of the process.

    Args:
        folder: where all services on this home have theirs.
        all_here: whether every service on the journal has its name there, as when the journal is a file of this home.
    """

    def __init__(self, folder: Path, *, all_here: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.all_here = all_here
        self.owner = secrets.token_hex(8)
        self._descriptor = self._hold(folder / self.owner)

    def others(self) -> list[str]:
        """The names that other services have left here, dead or alive."""
        return [path.name for path in self._folder.iterdir() if path.name != self.owner]

    def alone(self) -> bool:
        """Whether certainly no other service is on the journal.

        Raises:
            OSError: the folder cannot be read.
        """
        return self.all_here and all(self.dead(owner) for owner in self.others())

    def dead(self, owner: str) -> bool:
        """Whether the service of that name has certainly ended. Of one that runs elsewhere nothing is known here."""
        return self._look(owner, removes=False)

    def forget(self, owner: str) -> None:
        """Removes what a dead service has left, once nothing in the journal names it any more."""
        self._look(owner, removes=True)

    def close(self) -> None:
        """Gives the name up."""
        (self._folder / self.owner).unlink(missing_ok=True)
        os.close(self._descriptor)

    def _look(self, owner: str, *, removes: bool) -> bool:
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
            if there and removes:  # with its lock in hand: one that begins just now will notice
                path.unlink()
            return there
        finally:
            os.close(descriptor)

    @staticmethod
    def _hold(path: Path) -> int:
        while True:
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # Between the two another service that starts may have taken the file for a dead one's and removed it.
            if os.fstat(descriptor).st_nlink:
                return descriptor
            os.close(descriptor)
