"""The series of a job's metrics: kept in chunks as they are reported, thinned before they are too many."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select

from service.jobs.rows import json_or, json_text
from service.jobs.tables import metrics

MOST_POINTS = 9_999  # epochs kept of a job, besides its last

Series = dict[str, list[Any]]


def append(connection: Connection, row: RowMapping, series: Series) -> dict[str, int]:
    """Keeps the epochs of a report, in the place of what was kept of these and later ones; the columns of the job that
    this changes. Of a job with many epochs each `stride`-th is kept, counted from the first."""
    seq, first = row["seq"], series["epoch"][0]
    stride, points = row["stride"], row["points"]
    if first <= json_or(row["progress"], {}).get("epoch", 0):  # an attempt goes on from before where the last one ended
        points -= _cut(connection, seq, first)
    kept = _thin(series, stride)
    points += len(kept["epoch"])
    if points > MOST_POINTS:
        while points > MOST_POINTS:
            stride *= 2
            points = (points + 1) // 2
        whole = _thin(_join([*read(connection, seq), kept]), stride)
        connection.execute(delete(metrics).where(metrics.c.job_seq == seq))
        kept, points = whole, len(whole["epoch"])
    _insert(connection, seq, kept)
    return {"stride": stride, "points": points}


def read(connection: Connection, seq: int) -> list[Series]:
    """The chunks that are kept of a job, but for those that are damaged."""
    query = select(metrics.c.series).where(metrics.c.job_seq == seq).order_by(metrics.c.first_epoch)
    chunks = [json_or(text, {}) for text in connection.execute(query).scalars()]
    return [chunk for chunk in chunks if "epoch" in chunk and all(isinstance(each, list) for each in chunk.values())]


def whole(connection: Connection, row: RowMapping) -> Series:
    """All series that are kept of a job, its last epoch always among them."""
    series = _join(read(connection, row["seq"]))
    last, latest = json_or(row["progress"], {}).get("epoch", 0), json_or(row["metrics"], {})
    if last and (not series["epoch"] or series["epoch"][-1] < last):
        series = _join([series, {"epoch": [last]} | {name: [value] for name, value in latest.items()}])
    return series


def _cut(connection: Connection, seq: int, first: int) -> int:
    """Forgets the epochs from `first` on; how many they were."""
    chunks = read(connection, seq)
    whole = _join(chunks)
    kept = _where(whole, lambda epoch: epoch < first)
    connection.execute(delete(metrics).where(metrics.c.job_seq == seq))
    _insert(connection, seq, kept)
    return len(whole["epoch"]) - len(kept["epoch"])


def _insert(connection: Connection, seq: int, series: Series) -> None:
    if series["epoch"]:
        chunk = {"job_seq": seq, "first_epoch": series["epoch"][0], "series": json_text(series)}
        connection.execute(insert(metrics).values(chunk))


def _thin(series: Series, stride: int) -> Series:
    return series if stride == 1 else _where(series, lambda epoch: (epoch - 1) % stride == 0)


def _where(series: Series, wanted: Callable[[int], bool]) -> Series:
    places = [place for place, epoch in enumerate(series["epoch"]) if wanted(epoch)]
    return {name: [values[place] for place in places] for name, values in series.items()}


def _join(chunks: list[Series]) -> Series:
    joined: Series = {"epoch": [], "train_loss": []}
    for chunk in chunks:
        for name, values in chunk.items():
            joined.setdefault(name, []).extend(values)
    return joined
