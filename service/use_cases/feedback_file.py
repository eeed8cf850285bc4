"""The feedback on one version: a SQLite file beside its logged predictions. What was added is on the disk."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from model_store.errors import NoSpace, Unavailable

FILE = "feedback.sqlite"
KEPT_DAYS = 90.0  # after the prediction
MOST_SECONDS_LOCKED = 10.0
SCHEMA = """CREATE TABLE IF NOT EXISTS feedback (
    request_id TEXT NOT NULL, row INTEGER NOT NULL, predicted_at REAL NOT NULL, answer BLOB NOT NULL, truth BLOB NOT NULL,
    PRIMARY KEY (request_id, row)) WITHOUT ROWID"""
INDEX = "CREATE INDEX IF NOT EXISTS feedback_by_time ON feedback (predicted_at)"


class Judged(NamedTuple):
    """A row of a request with the answer to it and the truth, as the targets of an evaluation: numbers, or for a class its
    position. `predicted_at` is in seconds since 1970."""

    request_id: str
    row: int
    predicted_at: float
    answer: list[float]
    truth: list[float]


def add(folder: Path, judged: Sequence[Judged], now: float) -> None:
    """Adds the feedback on a version, in place of earlier feedback on the same rows; and deletes what is older than is kept.

    Raises:
        NoSpace, Unavailable: nothing was added.
    """
    path = folder / FILE
    with _errors():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        with closing(_connect(path)) as connection, connection:
            connection.execute(SCHEMA)
            connection.execute(INDEX)
            connection.execute("DELETE FROM feedback WHERE predicted_at < ?", (now - KEPT_DAYS * 86_400,))
            rows = [
                (each.request_id, each.row, each.predicted_at, _packed(each.answer), _packed(each.truth))
                for each in judged
            ]
            connection.executemany("INSERT OR REPLACE INTO feedback VALUES (?, ?, ?, ?, ?)", rows)


def newest(folder: Path, since: float, most: int) -> list[tuple[list[float], list[float]]]:
    """Answers and truths of the newest predictions since then, in seconds since 1970.

    Raises:
        NoSpace, Unavailable: they cannot be read.
    """
    path = folder / FILE
    if not path.exists() or not path.stat().st_size:
        return []
    query = "SELECT answer, truth FROM feedback WHERE predicted_at >= ? ORDER BY predicted_at DESC LIMIT ?"
    with _errors(), closing(_connect(path)) as connection:
        return [(_unpacked(answer), _unpacked(truth)) for answer, truth in connection.execute(query, (since, most))]


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", MOST_SECONDS_LOCKED, uri=True)
    connection.execute("PRAGMA synchronous=EXTRA")  # also the folder, in which the end of a transaction is a deletion
    return connection


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise NoSpace from error
        raise Unavailable(f"The feedback cannot be used: {error}.") from error
    except OSError as error:
        raise Unavailable(f"The feedback cannot be used: {error.strerror}.") from error


def _packed(values: Sequence[float]) -> bytes:
    return np.array(values, "<f8").tobytes()


def _unpacked(values: bytes) -> list[float]:
    numbers: list[float] = np.frombuffer(values, "<f8").tolist()
    return numbers
