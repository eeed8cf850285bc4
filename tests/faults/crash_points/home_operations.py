"""Operations on the other parts of a home: keys, the audit log, checkpoints."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from model_store.durable_files import sync
from model_store.errors import StoreError
from service.access.audit import Audit, Change
from service.access.errors import AccessError, ApiKeyNotFound
from service.access.keyring import Keyring
from service.access.scopes import Scope
from tests.faults.crash_points.operation import Kind, Operation

# Keys

KEY_FILES = {"keys.json", "lock", "keys.new"}  # a kill leaves the last one; the next write removes it


def keys_of(home: Path) -> Any:
    """Each key's name, scopes, and whether it is revoked."""
    keyring = Keyring(home / "access")
    return [keyring.on, [[key.name, [*map(str, key.scopes)], key.revoked_at is not None] for key in keyring.all()]]


def faulty_keys(home: Path) -> list[str]:
    """Unknown files, and modes that let other users read the keys."""
    files = [*(home / "access").iterdir()] if (home / "access").exists() else []
    found = [f"left: {path.name}" for path in files if path.name not in KEY_FILES]
    return found + [f"others may read {path.name}" for path in files if path.stat().st_mode & 0o077]


def prepare_keys(home: Path) -> None:
    """Two keys."""
    for name in ("one", "two"):
        Keyring(home / "access").create(name, [Scope.ADMIN])


def prepare_home(home: Path) -> None:
    """An empty folder."""
    home.mkdir()


def create_key(home: Path) -> Iterator[None]:
    """Adds a key to existing ones."""
    keyring = Keyring(home / "access")
    yield
    keyring.create("three", [Scope.PREDICT])


def first_key(home: Path) -> Iterator[None]:
    """Makes the first key, as a start does."""
    keyring = Keyring(home / "access")
    yield
    keyring.create_first()


def revoke_key(home: Path) -> Iterator[None]:
    """Revokes one of two keys."""
    keyring = Keyring(home / "access")
    yield
    keyring.revoke("one")


KEYS = Kind(keys_of, faulty_keys, (AccessError, StoreError))

# The audit log


class NotWritten(Exception):
    """The line could not be written; it went to the service's log as an error."""


def lines_of(home: Path) -> Any:
    """The content of the lines."""
    lines, _ = Audit(home / "audit").read(None, 100)
    return [line["changes"] for line in lines]


def faulty_lines(home: Path) -> list[str]:
    """Always empty: truncated lines are skipped."""
    return []


def prepare_audit(home: Path) -> None:
    """A log with a line of today."""
    Audit(home / "audit").append("me", [Change("alias.moved", "line@production", 1, 2)])


def append(home: Path) -> Iterator[None]:
    """Records a change."""
    audit, records = Audit(home / "audit"), list[logging.LogRecord]()

    class Recorder(logging.Handler):
        emit = staticmethod(records.append)  # type: ignore[assignment]

    logging.getLogger("service.access.audit").addHandler(Recorder())
    yield
    audit.append("me", [Change("alias.moved", "line@production", 2, 3)])
    if records:
        raise NotWritten(records[0].getMessage())


AUDIT = Kind(lines_of, faulty_lines, (NotWritten,))

# CheckpointFolder


def checkpoint_of(home: Path) -> Any:
    """The state from which a training would resume."""
    from service.workflow.checkpoint_folder import CheckpointFolder

    found = CheckpointFolder(home / "checkpoints/job", sync).load()
    return None if found.state is None else [found.state["epoch"], found.state["weights"].tolist()]


def faulty_checkpoints(home: Path) -> list[str]:
    """Files that are not checkpoints, and damaged checkpoints."""
    from service.workflow.checkpoint_folder import KEPT, NAME, CheckpointFolder

    found = CheckpointFolder(home / "checkpoints/job", sync).load()
    files = [*(home / "checkpoints/job").iterdir()] if (home / "checkpoints/job").exists() else []
    left = [f"left: {path.name}" for path in files if not NAME.fullmatch(path.name)]
    damaged = [f"{found.damaged} are damaged"] * bool(found.damaged)
    return left + damaged + [f"{len(files)} are kept"] * (len(files) > KEPT + 1)


def prepare_checkpoints(home: Path) -> None:
    """Two checkpoints, the number that is kept."""
    for epoch in (1, 2):
        _save(home, epoch)


def save(home: Path) -> Iterator[None]:
    """Saves one that replaces the oldest."""
    yield
    _save(home, 3)


def save_first(home: Path) -> Iterator[None]:
    """Saves the first one."""
    yield
    _save(home, 1)


def _save(home: Path, epoch: int) -> None:
    import torch

    from service.workflow.checkpoint_folder import CheckpointFolder

    CheckpointFolder(home / "checkpoints/job", sync).save(
        {"epoch": epoch, "weights": torch.full((64, 64), float(epoch))}
    )


def load(home: Path) -> Iterator[None]:
    """Loads the newest, as an attempt does at its start."""
    from service.workflow.checkpoint_folder import CheckpointFolder

    yield
    CheckpointFolder(home / "checkpoints/job", sync).load()


CHECKPOINTS = Kind(checkpoint_of, faulty_checkpoints, (OSError,))
ALL = [
    Operation("make a key", KEYS, create_key, prepare_keys, repeats=False),
    Operation("make the first key", KEYS, first_key, prepare_home),
    Operation("revoke a key", KEYS, revoke_key, prepare_keys, ended=(ApiKeyNotFound,)),
    Operation("append to the audit log", AUDIT, append, prepare_audit, repeats=False),
    Operation("begin the audit log", AUDIT, append, prepare_home, repeats=False),
    Operation("save a first checkpoint", CHECKPOINTS, save_first, prepare_home),
    Operation("save another checkpoint", CHECKPOINTS, save, prepare_checkpoints),
    Operation("load a checkpoint", CHECKPOINTS, load, prepare_checkpoints),
]
