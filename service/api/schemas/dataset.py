"""A version of a data set as it is shown."""

from collections.abc import Callable
from typing import Any

from model_store import Version
from model_store.errors import UNREADABLE, NotFound
from service.api.problems import answer_for
from service.api.schemas.documents import Reading
from service.workflow.data.schema import Column


def dataset_document(version: Version) -> dict[str, Any]:
    """The document of `documents.Dataset`. Versions from before there were readings have none, and no notes."""
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
        "columns": [_column(Column.model_construct(**each), schema["rows"]) for each in schema["columns"]],
        "error": None,
    }


def listed_dataset(name: str, number: int | None, find: Callable[[], Version]) -> dict[str, Any] | None:
    """The document of a version in a list; a damaged one must not take the list with it, and None is one that was deleted
    meanwhile."""
    try:
        return dataset_document(find())
    except NotFound:
        return None
    except UNREADABLE as error:
        unknown = dict.fromkeys(("rows", "bytes", "digest", "media_type", "created_at", "reading"))
        damage = {"code": answer_for(error)[1], "detail": str(error)}
        return {"name": name, "version": number, **unknown, "notes": [], "columns": [], "error": damage}


def _shown(reading: dict[str, Any]) -> dict[str, Any]:
    return {name: reading[name] for name in Reading.model_fields}


def _column(column: Column, rows: int) -> dict[str, Any]:
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
