"""The sections on inputs and outputs: the columns with their types and ranges."""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from service.workflow.card.document import Block, Code, Paragraph, Table
from service.workflow.card.recorded import NOT_RECORDED, find, names, objects, shown, text, values
from service.workflow.card.shaped import description
from service.workflow.data.types.column_type import ColumnType
from service.workflow.data.types.datetime import FIRST, LAST
from service.workflow.data.types.registry import COLUMN_TYPES

MOST_COLUMNS = 200  # in a table
MOST_CATEGORIES = 12  # of a column
QUESTIONS = {
    "regression": "regression: numbers are predicted",
    "binary": "binary classification: one of two classes is predicted, with its probability",
    "multiclass": "multiclass classification: one of several classes is predicted, with its probability",
    "multilabel": "multilabel classification: each label is predicted to be true or false, with its probability",
}


def task(manifest: Mapping[str, Any]) -> str:
    """What the model answers, in words."""
    found = find(manifest, "signature", "task")
    targets = names([each.get("name") for each in objects(manifest, "signature", "outputs")], MOST_CATEGORIES)
    return f"{QUESTIONS.get(found, shown(found))}; target: {targets}" if isinstance(found, str) else NOT_RECORDED


def inputs(manifest: Mapping[str, Any]) -> list[Block]:
    """The inputs in order."""
    listed = objects(manifest, "signature", "inputs")
    rows = [
        (text(each, "name"), text(each, "type"), _values(manifest, each), _reading(each))
        for each in listed[:MOST_COLUMNS]
    ]
    blocks: list[Block] = [Table(["Column", "Type", "Values in the training part", "How texts are read"], rows)]
    if listed:
        blocks.append(
            Paragraph(
                "Of a category that is not listed the model knows nothing: it is read as unknown. A number outside of the range "
                "is accepted, and the answer is then extrapolated. A missing value is null; a model that was trained without "
                "preprocessing on data without missing values refuses it."
            )
        )
    return [*blocks, *_more(listed)] if listed else [Paragraph(NOT_RECORDED.capitalize() + ".")]


def outputs(manifest: Mapping[str, Any]) -> list[Block]:
    """The targets in order."""
    listed = objects(manifest, "signature", "outputs")
    rows = [(text(each, "name"), text(each, "type"), _values(manifest, each)) for each in listed[:MOST_COLUMNS]]
    if not listed:
        return [Paragraph(NOT_RECORDED.capitalize() + ".")]
    return [Table(["Column", "Type", "Values in the training part"], rows), *_more(listed)]


def moment(seconds: float) -> str:
    """Seconds since 1970 (UTC) as a date, with the time unless that is midnight; the number itself beyond the year 9999."""
    if not FIRST <= seconds < LAST:
        return f"{shown(seconds)} seconds since 1970"
    found = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=round(seconds, 3))
    day, time = found.date().isoformat(), found.time().isoformat()
    return day if found.time() == datetime.time() else f"{day}T{time}"


def extent(manifest: Mapping[str, Any], column: Mapping[str, Any]) -> tuple[float, float] | None:
    """The smallest and the largest number of a column in the training part, None if that is not recorded."""
    name = column.get("name")
    found = values(manifest, "ranges", name) if isinstance(name, str) else ()
    if len(found) != 2 or not all(isinstance(each, int | float) and not isinstance(each, bool) for each in found):
        return None
    try:
        return float(found[0]), float(found[1])
    except OverflowError:
        return None


def is_time(column: Mapping[str, Any]) -> bool:
    """Whether a column has dates or times."""
    kind = _type(column)
    return kind is not None and kind.chart_type == "T"


def example(manifest: Mapping[str, Any], column: Mapping[str, Any]) -> Any:
    """A value that an input may have, as JSON; None, which stands for a missing value, if nothing better is known."""
    if categories := values(column, "categories"):
        return categories[0]
    found, kind = extent(manifest, column), _type(column)
    if found is None or kind is None:
        return None if kind is None else kind.example
    return moment(found[0]) if is_time(column) else float(f"{found[0] / 2 + found[1] / 2:.4g}")


def _type(column: Mapping[str, Any]) -> ColumnType | None:
    name = column.get("type")
    return COLUMN_TYPES.get(name) if isinstance(name, str) else None


def _values(manifest: Mapping[str, Any], column: Mapping[str, Any]) -> str:
    listed = values(column, "categories") or values(column, "classes")
    if listed or "categories" in column:
        return names(listed, MOST_CATEGORIES) if listed else "none"
    if (told := description(column)) is not None:
        return told
    kind, found = _type(column), extent(manifest, column)
    if found is not None:
        show = moment if is_time(column) else shown
        return f"{show(found[0])} to {show(found[1])}"
    return kind.expects if kind is not None and kind.chart_type == "N" and not kind.categorical else NOT_RECORDED


def _reading(column: Mapping[str, Any]) -> str:
    parts = []
    if isinstance(column.get("date_format"), str):
        parts.append(f"dates as {text(column, 'date_format')}")
    if values(column, "missing"):
        parts.append(f"missing: {names(values(column, 'missing'), MOST_CATEGORIES)}")
    if isinstance(column.get("decimal"), str):
        parts.append(f"decimals with {text(column, 'decimal')}")
    if column.get("dtype") == "float64":
        parts.append("in float64")
    return "; ".join(parts)


def _more(listed: Sequence[Any]) -> list[Block]:
    if len(listed) <= MOST_COLUMNS:
        return []
    return [Paragraph([f"{len(listed) - MOST_COLUMNS:,} more are in the ", Code("signature"), " of the manifest."])]
