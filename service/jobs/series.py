"""The series of a job's metrics: stored in chunks as they are reported, and thinned when they are too long."""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from service.jobs.errors import MetricsDamaged
from service.jobs.rows import json_or, json_text
from service.jobs.seals import Row, broken, sealed, state_broken
from service.jobs.tables import jobs, metrics

MOST_POINTS = 9_999  # epochs stored of a job, besides its last

Series = dict[str, list[Any]]

log = logging.getLogger(__name__)


def append(connection: Connection, row: Row, series: Series, most_points: int) -> dict[str, int]:
    """Stores the epochs of a report in place of these and later ones; returns the columns of the job that this changes. When
    they would be more than `most_points`, the `stride` is doubled: each so-many-th epoch is stored, counted from the first."""
    first = series["epoch"][0]
    stride, points = row["stride"], row["points"]
    if first <= json_or(row["progress"], {}).get("epoch", 0):  # this attempt resumed before the last reported epoch
        points -= _cut(connection, row, first)
    kept = _thin(series, stride)
    points += len(kept["epoch"])
    if points > most_points:
        while points > most_points:
            stride *= 2
            points = (points + 1) // 2
        kept = _thin(_join([*read(connection, row), kept]), stride)
        connection.execute(delete(metrics).where(metrics.c.job_seq == row["seq"]))
        points = len(kept["epoch"])
    _insert(connection, row, kept)
    return {"stride": stride, "points": points}


def read(connection: Connection, row: Row) -> list[Series]:
    """The stored chunks of a job that are not damaged."""
    return [json_or(chunk["series"], {}) for chunk in _chunks(connection, row) if not _broken(chunk, row)]


def whole(connection: Connection, row: Row) -> Series:
    """All series of a job; they always include its last epoch.

    Raises:
        MetricsDamaged: a part of them, or their number in the job's row, is damaged or lost.
    """
    chunks = _chunks(connection, row)
    if state_broken(row) or any(_broken(chunk, row) for chunk in chunks) or _is_short(connection, row, chunks):
        log.error("a part of the metrics of job %r is damaged or lost in the journal", row["id"])
        raise MetricsDamaged
    series = _joined(chunks)
    last, latest = json_or(row["progress"], {}).get("epoch", 0), json_or(row["metrics"], {})
    if last and (not series["epoch"] or series["epoch"][-1] < last):
        series = _join([series, {"epoch": [last]} | {name: [value] for name, value in latest.items()}])
    return series


def lost(connection: Connection, row: Row) -> bool:
    """Whether chunks of a job's series are missing though none is damaged."""
    chunks = _chunks(connection, row)
    return not any(_broken(chunk, row) for chunk in chunks) and _is_short(connection, row, chunks)


def _is_short(connection: Connection, row: Row, chunks: Sequence[Row]) -> bool:
    """Whether they have fewer epochs than the job's row says. Jobs of older versions may have more."""
    # Read again: an attempt that resumed earlier may have removed some since the row was read.
    now = connection.execute(select(jobs.c.points).where(jobs.c.seq == row["seq"])).scalar() or 0
    counted: int = min(row["points"], now)
    return len(_joined(chunks)["epoch"]) < counted


def _joined(chunks: Sequence[Row]) -> Series:
    return _join(json_or(chunk["series"], {}) for chunk in chunks)


def _chunks(connection: Connection, row: Row) -> Sequence[Row]:
    query = select(metrics).where(metrics.c.job_seq == row["seq"]).order_by(metrics.c.first_epoch)
    return connection.execute(query).mappings().all()


def _broken(chunk: Row, row: Row) -> bool:
    return broken("metrics", chunk, row["id"])


def _cut(connection: Connection, row: Row, first: int) -> int:
    """Removes the epochs from `first` on; returns how many they were."""
    whole = _join(read(connection, row))
    kept = _where(whole, lambda epoch: epoch < first)
    connection.execute(delete(metrics).where(metrics.c.job_seq == row["seq"]))
    _insert(connection, row, kept)
    return len(whole["epoch"]) - len(kept["epoch"])


def _insert(connection: Connection, row: Row, series: Series) -> None:
    if series["epoch"]:
        chunk = sealed("metrics", {"first_epoch": series["epoch"][0], "series": json_text(series)}, row["id"])
        connection.execute(insert(metrics).values(job_seq=row["seq"], **chunk))


def _thin(series: Series, stride: int) -> Series:
    return series if stride == 1 else _where(series, lambda epoch: (epoch - 1) % stride == 0)


def _where(series: Series, wanted: Callable[[int], bool]) -> Series:
    places = [place for place, epoch in enumerate(series["epoch"]) if wanted(epoch)]
    return {name: [values[place] for place in places] for name, values in series.items()}


def _join(chunks: Iterable[Series]) -> Series:
    joined: Series = {"epoch": [], "train_loss": []}
    for chunk in chunks:
        for name, values in chunk.items():
            joined.setdefault(name, []).extend(values)
    return joined
