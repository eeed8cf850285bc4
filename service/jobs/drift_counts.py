"""The counts of the rows that versions have predicted, by hour, in the journal: for drift."""

from collections.abc import Iterable
from dataclasses import dataclass

import orjson
from sqlalchemy import delete, insert, select

from service.jobs import tables
from service.jobs.journal_base import JournalBase
from service.jobs.rows import json_text

KEPT_HOURS = 30 * 24
HOUR = 3600
MOST_ROWS = 100_000  # of the table that are read for one answer


@dataclass(frozen=True)
class HourOfVersion:
    """What a process has counted of a version in an hour, numbered from 1970: rows in all, and in each cell of the reference."""

    model: str
    version: int
    digest: str
    hour: int
    source: str
    rows: int
    counts: list[int]


class DriftCounts(JournalBase):
    """Several processes may write at the same time: each has rows of its own."""

    def put(self, hours: Iterable[HourOfVersion]) -> None:
        """Keeps these counts, in place of earlier ones of the same source, version and hour."""
        table = tables.drift_counts
        with self._write() as connection:
            for each in hours:
                this = (table.c.model == each.model) & (table.c.version == each.version)
                this &= (table.c.hour == each.hour) & (table.c.source == each.source)
                connection.execute(delete(table).where(this))
                about = {"model": each.model, "version": each.version, "digest": each.digest, "hour": each.hour}
                counted = {"source": each.source, "rows": each.rows, "counts": json_text(each.counts)}
                connection.execute(insert(table).values(**about, **counted))

    def total(self, model: str, version: int, digest: str, since_hour: int, cells: int) -> tuple[int, list[int]]:
        """The rows of a version since the beginning of an hour, and those in each cell. Counts that cannot be read, or are not
        of this digest, are left out."""
        table, rows, counts = tables.drift_counts, 0, [0] * cells
        this = (table.c.model == model) & (table.c.version == version)
        this &= (table.c.digest == digest) & (table.c.hour >= since_hour)
        with self._read() as connection:
            for each in connection.execute(select(table.c.rows, table.c.counts).where(this).limit(MOST_ROWS)):
                found = _numbers(each.counts)
                if found is not None and len(found) == cells:
                    rows += each.rows
                    counts = [a + b for a, b in zip(counts, found, strict=True)]
        return rows, counts

    def forget_old(self) -> None:
        """Removes what is older than `KEPT_HOURS`."""
        before = int(self._clock().timestamp() // HOUR) - KEPT_HOURS
        with self._write() as connection:
            connection.execute(delete(tables.drift_counts).where(tables.drift_counts.c.hour < before))


def _numbers(text: str) -> list[int] | None:
    try:
        found = orjson.loads(text)
    except ValueError:
        return None
    if isinstance(found, list) and all(isinstance(each, int) and each >= 0 for each in found):
        return found
    return None
