"""The record of what a home has held, `home.json`, by which a loss of data differs from a new home.

| case | what a start does |
|---|---|
| a new home, or one without a `home.json` by an earlier version | records what it holds |
| something is missing that was recorded | refuses: HomeLost |
| `home.json` is damaged, or missing although there is a marker `.home` beside the state | refuses: HomeDamaged |
| a restore was interrupted | refuses: HomeHalfRestored |
"""

import fcntl
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from model_store.durable_files import replace, sync
from model_store.errors import MadeByNewer
from model_store.sealed import seal, unseal

FILE = "home.json"
JOURNAL = "journal.sqlite"
MARKER = ".home"

# What may be recorded, and its name in messages. The last two are not in the home but in the settings.
NAMES = {
    "keys": "the keys (access/keys.json)",
    "journal": f"the journal of jobs ({JOURNAL})",
    "store": "the store (store/, or the folder of MODELWRIGHT_STORE_URL)",
    "models": "the models (store/models/)",
    "datasets": "the data sets (store/datasets/)",
    "audit": "the audit log (audit/)",
    "database": "the journal of jobs on the database of MODELWRIGHT_DATABASE_URL",
    "admin_key": "the key of MODELWRIGHT_ADMIN_KEY, without which authentication is disabled",
}
IN_STORE = frozenset({"store", "models", "datasets"})
ADVICE = "Restore a backup (modelwright restore), or start with modelwright serve --accept-loss to go on without."


class HomeError(Exception):
    """The home is not as it was recorded."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class HomeLost(HomeError):
    """Something is missing from the home."""

    def __init__(self, folder: Path, lost: Collection[str]) -> None:
        self.lost = sorted(lost)
        super().__init__(f"{folder} has lost {', '.join(NAMES[each] for each in self.lost)}. {ADVICE}")


class HomeDamaged(HomeError):
    """The home's record of what it holds is damaged or missing."""


class HomeHalfRestored(HomeError):
    """A restore into this home was not completed: run it again, or delete the folder."""


class Home:
    """The record of one home; safe for threads and processes. It is replaced atomically."""

    def __init__(self, folder: Path, store: Path | None = None) -> None:
        """`store` is the folder of the model store, where it is not in the home."""
        self.folder = folder
        self._file = folder / FILE
        store = store or folder / "store"
        self._folders = {"store": store, "audit": folder / "audit"}
        self._filled = {"models": store / "models", "datasets": store / "datasets"}
        # A store elsewhere may belong to several homes, so its files are no evidence of this one.
        self._marked = (folder / "store", folder / "access", folder / "audit")

    def held(self) -> frozenset[str]:
        """Everything that was recorded; empty if nothing was. Raises HomeDamaged, HomeHalfRestored, OSError."""
        try:
            fields, sealed = unseal(FILE, self._file.read_bytes())
            if not sealed:
                raise ValueError("not sealed")
            if fields["restoring"]:
                raise HomeHalfRestored
            return frozenset(fields["holds"])
        except FileNotFoundError:
            if any((each / MARKER).exists() for each in self._marked):
                raise HomeDamaged(f"{self._file} is missing, the record of what this home holds. {ADVICE}") from None
            return frozenset()
        except MadeByNewer as error:
            raise HomeDamaged(str(error)) from error
        except (ValueError, KeyError, TypeError) as error:
            raise HomeDamaged(f"{self._file} is damaged, the record of what this home holds. {ADVICE}") from error

    def present(self) -> frozenset[str]:
        """What exists now; an empty file does not count."""
        files = {"journal": JOURNAL, "keys": "access/keys.json"}
        found = {name for name, place in self._folders.items() if place.is_dir()}
        found |= {name for name, place in files.items() if _size(self.folder / place)}
        return frozenset(found | {name for name, place in self._filled.items() if _filled(place)})

    def remember(self, *more: str) -> None:
        """Adds what exists now, and `more`, to the record. Raises as `held` does."""
        with self._locked():
            held, now = self.held(), self.present() | {*more}
            if not now <= held:
                self._write(held | now)
            self._mark()

    def record(self, holds: Collection[str], *, restoring: bool = False) -> None:
        """Replaces the record. Raises OSError."""
        with self._locked():
            self._write(holds, restoring=restoring)
            if not restoring:
                self._mark()

    def _write(self, holds: Collection[str], *, restoring: bool = False) -> None:
        replace(self._file, seal(FILE, {"holds": sorted(holds), "restoring": restoring}))

    def _mark(self) -> None:
        for folder in self._marked:
            if folder.is_dir() and not (folder / MARKER).exists():
                (folder / MARKER).touch(0o600)
                sync(folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Holds the lock for changes of the record. Creates the folder if needed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _filled(folder: Path) -> bool:
    try:
        return next(folder.iterdir(), None) is not None
    except FileNotFoundError:
        return False
