"""Data sets, and their versions as they are shown."""

from collections.abc import Callable
from typing import Any, cast

from typing_extensions import TypedDict

from model_store import Version
from model_store.errors import UNREADABLE, NotFound
from service.api.problems import damaged
from service.api.schemas.answer import closed
from service.workflow.data import schema as schema_of


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
class Column(TypedDict):
    """A column of a data set. `distinct` is how many values it has, null if they are too many to be counted; `reason` why it
    has its type; `feature` whether it is learned from where a spec names no features."""

    name: str
    type: str
    missing: int
    distinct: int | None
    examples: list[str]
    reason: str
    feature: bool
    statistics: dict[str, Any]


@closed
class Dataset(TypedDict):
    """A version of a data set. `digest` is the SHA-256 of its bytes, `notes` what is worth knowing of how it was read. A
    version from before there were readings has none. Of one that is damaged `error` has a `code` and a `detail`, and the
    rest is null."""

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
    """A version as it is shown. Versions from before there were readings have none, and no notes."""
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
        "columns": [_column(schema_of.Column.model_construct(**each), schema["rows"]) for each in schema["columns"]],
        "error": None,
    }


def listed_dataset(name: str, number: int | None, find: Callable[[], Version]) -> Dataset | None:
    """The document of a version in a list; a damaged one must not take the list with it, and None is one that was deleted
    meanwhile."""
    try:
        return dataset_document(find())
    except NotFound:
        return None
    except UNREADABLE as error:
        return damaged(Dataset, error, name=name, version=number, notes=[], columns=[])


def _shown(reading: dict[str, Any]) -> Reading:
    return cast(Reading, {name: reading[name] for name in Reading.__annotations__})


def _column(column: schema_of.Column, rows: int) -> Column:
    return {
        "name": column.name,
        "type": column.type,
        "missing": column.missing,
        "distinct": column.statistics.get("distinct"),
        "examples": column.examples,
        "reason": column.reason,
        "feature": column.is_feature(rows),
        "statistics": column.statistics,
    }
