"""Damage to a file: flipped bits, a lost end, the content of another file, a missing file."""

import os
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Damaged = bytes | None  # the content afterwards; None if the file is deleted


def _flip(data: bytes, others: list[bytes], rng: random.Random) -> Damaged:
    flipped = bytearray(data)
    place = rng.randrange(len(data) * 8)
    flipped[place // 8] ^= 1 << place % 8
    return bytes(flipped)


def _cut(data: bytes, others: list[bytes], rng: random.Random) -> Damaged:
    return data[: rng.choice([0, 1, len(data) // 2, len(data) - 1, rng.randrange(len(data))])]


def _zeros(data: bytes, others: list[bytes], rng: random.Random) -> Damaged:
    """Zeros, as a file system leaves a page that was never written."""
    start = rng.randrange(len(data)) // 4096 * 4096
    return data[:start] + b"\0" * len(data[start : start + 4096]) + data[start + 4096 :]


def _exchange(data: bytes, others: list[bytes], rng: random.Random) -> Damaged:
    different = [other for other in others if other != data]
    return rng.choice(different) if different else _flip(data, others, rng)


def _lose(data: bytes, others: list[bytes], rng: random.Random) -> Damaged:
    return None


WAYS: dict[str, tuple[Callable[[bytes, list[bytes], random.Random], Damaged], int]] = {
    "flip": (_flip, 5),
    "cut": (_cut, 2),
    "zeros": (_zeros, 1),
    "exchange": (_exchange, 1),
    "loss": (_lose, 1),
}


@dataclass(frozen=True)
class Damage:
    """One damage to one file."""

    path: Path
    way: str
    whole: bytes
    after: Damaged

    def inflict(self) -> None:
        """Writes a new file, as restoring a backup would: a process that has mapped the old one keeps it."""
        self.path.unlink()
        if self.after is not None:
            _write(self.path, self.after)

    def mend(self) -> None:
        """Restores the file."""
        self.path.unlink(missing_ok=True)
        _write(self.path, self.whole)


def draw(path: Path, alike: list[Path], rng: random.Random) -> Damage:
    """Random damage to this file; its content may be replaced by that of the files `alike`."""
    way = rng.choices(list(WAYS), [weight for _, weight in WAYS.values()])[0]
    whole = path.read_bytes()
    return Damage(path, way, whole, WAYS[way][0](whole, [each.read_bytes() for each in alike], rng))


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(uuid.uuid4().hex)
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    temporary.rename(path)
