"""Data sets and their versions."""

from collections.abc import Callable
from heapq import nlargest
from typing import Any, Literal, cast

import numpy as np
from typing_extensions import TypedDict

from model_store import Version
from model_store.errors import UNREADABLE, NotFound
from service.api.problems import damaged
from service.api.schemas.answer import closed
from service.workflow.data import histogram as histogram_of
from service.workflow.data import schema as schema_of
from service.workflow.data.histogram import Histogram
from service.workflow.data.types.registry import COLUMN_TYPES

MOST_COUNTED = 1000  # columns with a distribution
MOST_LISTED = 6  # values of a column
LONGEST_VALUE = 100  # characters


@closed
class Reading(TypedDict):
    """How a file is read. `missing` are the words for a missing value, besides an empty cell; `separator` is null where the
    format has none."""

    compression: str | None
    encoding: str
    separator: str | None
    decimal: str
    missing: list[str]
    skip_lines: int
    sheet: str | None
    date_formats: dict[str, str]


@closed
class Bins(TypedDict):
    """How many numbers, or times in seconds since 1970, are in each of at most 48 bins side by side, of which the first begins
    at `start`."""

    kind: Literal["bins"]
    start: float
    width: float
    counts: list[int]


@closed
class Values(TypedDict):
    """The most frequent values, and how many rows have one of the others."""

    kind: Literal["values"]
    values: list[Any]
    counts: list[int]
    others: int


@closed
class Column(TypedDict):
    """A column of a data set. `distinct` is how many values it has, null if too many to count; `reason` why it has its type;
    `feature` whether it is a feature by default; `distribution` how often which values occur, null if that was not counted."""

    name: str
    type: str
    missing: int
    distinct: int | None
    examples: list[str]
    reason: str
    feature: bool
    statistics: dict[str, Any]
    distribution: Bins | Values | None


@closed
class Dataset(TypedDict):
    """A version of a data set. `digest` is the SHA-256 of its bytes, `notes` are remarks on how it was read. Versions of the
    oldest releases have no `reading`. A damaged version has an `error` with `code` and `detail`; its other fields are
    null."""

    name: str
    version: int | None
    rows: int | None
    bytes: int | None
    digest: str | None
    media_type: str | None
    created_at: str | None
    reading: Reading | None
    notes: list[str]
    columns: list[Column]
    error: dict[str, Any] | None


def dataset_document(version: Version) -> Dataset:
    """The document of a version. Versions of the oldest releases have no reading and no notes."""
    manifest = version.manifest
    schema = manifest["schema"]
    return {
        "name": version.name,
        "version": version.number,
        "rows": schema["rows"],
        "bytes": manifest["bytes"],
        "digest": manifest["digest"],
        "media_type": manifest["media_type"],
        "created_at": version.created_at,
        "reading": _shown(schema["reading"]) if "reading" in schema else None,
        "notes": manifest.get("notes", []),
        "columns": [_column(at, _stored(each), schema["rows"]) for at, each in enumerate(schema["columns"])],
        "error": None,
    }


def listed_dataset(name: str, number: int | None, find: Callable[[], Version]) -> Dataset | None:
    """The document of a version in a list, with its error if it is damaged; None if it was deleted meanwhile."""
    try:
        return dataset_document(find())
    except NotFound:
        return None
    except UNREADABLE as error:
        return damaged(Dataset, error, name=name, version=number, notes=[], columns=[])


def _shown(reading: dict[str, Any]) -> Reading:
    return cast(Reading, {name: reading[name] for name in Reading.__annotations__})


def _stored(column: dict[str, Any]) -> schema_of.Column:
    """A column of a manifest. It was validated when it was stored."""
    bins = column.get("bins")
    kept = column | {"bins": None if bins is None else histogram_of.Bins.model_construct(**bins)}
    return schema_of.Column.model_construct(**kept)


def _column(at: int, column: schema_of.Column, rows: int) -> Column:
    return {
        "name": column.name,
        "type": column.type,
        "missing": column.missing,
        "distinct": column.statistics.get("distinct"),
        "examples": column.examples,
        "reason": column.reason,
        "feature": column.is_feature(rows),
        "statistics": column.statistics,
        "distribution": _distribution(column) if at < MOST_COUNTED else None,
    }


def _distribution(column: schema_of.Column) -> Bins | Values | None:
    """From what a survey has kept: bins, or the distinct values with their frequencies."""
    if column.bins is not None:
        return _bins(column.bins)
    values, counts = column.target_values()
    if not values or counts is None:
        return None
    kind = COLUMN_TYPES.get(column.type)  # none for an unsupported one
    if kind is not None and kind.chart_type != "N" and all(isinstance(each, int | float) for each in values):
        histogram = Histogram()
        histogram.add(np.array(values, np.float64), np.array(counts, np.int64))
        bins = histogram.bins()
        return None if bins is None else _bins(bins)
    most = nlargest(MOST_LISTED, range(len(values)), key=counts.__getitem__)
    shown = [each[:LONGEST_VALUE] if isinstance(each, str) else each for each in (values[at] for at in most)]
    listed = [counts[at] for at in most]
    return {"kind": "values", "values": shown, "counts": listed, "others": sum(counts) - sum(listed)}


def _bins(bins: histogram_of.Bins) -> Bins:
    return {"kind": "bins", "start": bins.start, "width": bins.width, "counts": bins.counts}
