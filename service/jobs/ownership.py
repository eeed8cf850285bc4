"""Which services are alive: each holds a lock on a file of its own, which the system takes back however it ends."""

import fcntl
import os
import secrets
from pathlib import Path


class Ownership:
    """This service's name, held alive until `close` or the end of the process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        for other in folder.iterdir():
            self.alive(other.name)  # removes what dead services have left
        self.owner = secrets.token_hex(8)
        self._descriptor = self._hold(folder / self.owner)

    def alive(self, owner: str) -> bool:
        """Whether the service of that name still runs on this machine. The file of a dead one is removed."""
        path = self._folder / owner
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            if not os.fstat(descriptor).st_nlink:  # somebody else has removed it; the owner may have begun anew
                return self.alive(owner)
            path.unlink(missing_ok=True)
            return False
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Gives the name up."""
        (self._folder / self.owner).unlink(missing_ok=True)
        os.close(self._descriptor)

    @staticmethod
    def _hold(path: Path) -> int:
        while True:
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # Between the two another service that starts may have taken the file for a dead one's and removed it.
            if os.fstat(descriptor).st_nlink:
                return descriptor
            os.close(descriptor)
