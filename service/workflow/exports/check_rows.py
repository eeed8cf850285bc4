"""The rows that an export is checked with: real ones, and edge cases of each input."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from service.workflow.data.table import Numbers, Table, Texts, plain
from service.workflow.data.types.column_type import ColumnType
from service.workflow.data.types.datetime import FIRST, LAST
from service.workflow.data.types.how import PLAIN
from service.workflow.data.types.names import Scalar
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.data.types.shaped_type import ShapedType
from service.workflow.encode import raw_dtype
from service.workflow.exports import shaped_rows
from service.workflow.exports.export import Source
from service.workflow.exports.shaped_rows import FAR
from service.workflow.look.examples import Examples
from service.workflow.look.points import Points
from service.workflow.signature import Input

DRAWN = 64  # rows, if there are no points
MOST_CHANGED = 64  # inputs that are changed one at a time; in one more row, all are
MOST_EDGES = 4 * MOST_CHANGED  # more than there are in a batch
SEED = 0


@dataclass(frozen=True)
class Batch:
    """Rows of one sort, by the name that messages have for them."""

    name: str
    rows: Table


def batches(source: Source, points: Points | None) -> Iterator[Batch]:
    """Batches of rows for a model: sampled rows of its data, completed by drawn values where `points` lack a column; then
    copies of the first row with a missing value, an unknown category or an extreme number; one row; no row."""
    real, most = _real_rows(source, points), shaped_rows.most_rows(source.signature.inputs) or MOST_EDGES
    yield Batch("rows of its data", real)
    base = real.rows(np.zeros(1, np.int64))
    for name, changes in _edges(source).items():
        for start in range(0, len(changes), most):
            yield Batch(name, _changed(base, changes[start : start + most]))
    yield Batch("one row", base)
    yield Batch("no row", real.rows(np.zeros(0, np.int64)))


def takes_missing(source: Source, at: int) -> bool:
    """Whether the input at a position may be missing in an export. A boolean may not if it was always there in training,
    because it is exported as a type without a missing value."""
    preprocessing, kind = source.model.preprocessing, COLUMN_TYPES[source.signature.inputs[at].type]
    if kind.shaped:
        return True
    if preprocessing is None:
        return False
    return kind.datatype != "BOOL" or preprocessing.layout.firsts[at] in preprocessing.indicated.tolist()


def _real_rows(source: Source, points: Points | None) -> Table:
    known: Mapping[str, Sequence[Scalar | None]] = {} if points is None else points.features
    found = max(map(len, known.values()), default=0)
    count = min(found or DRAWN, shaped_rows.most_rows(source.signature.inputs) or found or DRAWN)
    draw, examples = np.random.default_rng(SEED), None if points is None else points.examples
    columns: dict[str, Numbers | Texts] = {}
    for at, each in enumerate(source.signature.inputs):
        values = None if COLUMN_TYPES[each.type].shaped else known.get(each.name)
        shown = None if values is None or len(values) != found else _from_points(each, values[:count])
        column = _drawn(source, at, count, draw, examples) if shown is None else shown
        columns[each.name] = column if takes_missing(source, at) else _without_missing(column)
    return Table(columns)


def _from_points(each: Input, values: Sequence[Scalar | None]) -> Numbers | Texts:
    """A column of points, as a table keeps it."""
    kind = COLUMN_TYPES[each.type]
    found = [None if value is None else _value(kind, value) for value in values]
    if kind.texts:
        return _texts([None if value is None else _exact(each, str(value)) for value in found])
    return np.array([np.nan if value is None else value for value in found], np.float64)


def _value(kind: ColumnType, value: Scalar) -> float | str | None:
    try:
        return kind.from_value(value, PLAIN)
    except ValueError:  # a bundle may hold anything
        return None


def _exact(each: Input, text: str) -> str:
    """The text in the vocabulary of the same meaning, such as 1 for 1.0: only Modelwright itself takes them as equal."""
    categories = each.categories or []
    if text in categories:
        return text
    (code,) = COLUMN_TYPES[each.type].encode(_texts([text]), categories)
    return categories[int(code[0]) - 1] if code[0] > 0 else text


def _drawn(
    source: Source, at: int, count: int, draw: np.random.Generator, examples: Examples | None
) -> Numbers | Texts:
    """A column of random values: of the vocabulary, or around the mean of the training part where that is known; examples of the
    data where values have a shape."""
    each = source.signature.inputs[at]
    kind = COLUMN_TYPES[each.type]
    if isinstance(kind, ShapedType):
        return shaped_rows.column(source, each, kind, count, draw, examples)
    if kind.texts:
        codes = draw.integers(-1, len(each.categories or []) + 1, count).astype(np.int32)
        return Texts(codes, [*(each.categories or []), _unknown(each)])
    if kind.datatype == "BOOL":
        return draw.integers(0, 2, count).astype(np.float64)
    if kind.float64:
        return draw.uniform(0, 2e9, count)  # seconds since 1970
    mean, deviation = _moments(source, at)
    return draw.normal(mean, deviation, count)


def _moments(source: Source, at: int) -> tuple[float, float]:
    """Mean and standard deviation of a number in the training part; 0 and 1 where they are not known."""
    preprocessing = source.model.preprocessing
    if preprocessing is None:
        return 0.0, 1.0
    place = preprocessing.layout.numbers.index(preprocessing.layout.firsts[at])
    mean = float(preprocessing.fill[place])
    return mean, 1.0 if preprocessing.std is None else float(preprocessing.std[place])


def _without_missing(column: Numbers | Texts) -> Numbers | Texts:
    if isinstance(column, Texts):
        return Texts(np.maximum(column.codes, 0), column.values or [""])
    return np.nan_to_num(column)


Change = dict[
    int, Any
]  # new values by the positions of inputs: a number, a text, None, or an array of the input's shape


def _edges(source: Source) -> dict[str, list[Change]]:
    """Changes of one row, by the name of the batch that they make."""
    inputs = source.signature.inputs
    missing: Change = {
        at: None for at, each in enumerate(inputs) if takes_missing(source, at) and not COLUMN_TYPES[each.type].shaped
    }
    unknown = {at: _unknown(each) for at, each in enumerate(inputs) if COLUMN_TYPES[each.type].categorical}
    far: list[Change] = [{}, {}]
    largest: list[Change] = [{}, {}]
    most = float(np.finfo(raw_dtype(inputs)).max)
    for at, each in enumerate(inputs):
        kind = COLUMN_TYPES[each.type]
        if kind.float64 and not kind.numeric:
            for changes in (far, largest):
                changes[0][at], changes[1][at] = float(FIRST), LAST - 1.0
        elif kind.numeric:
            mean, deviation = _moments(source, at)
            away = FAR * (abs(mean) + deviation)
            far[0][at], far[1][at] = -away, away
            largest[0][at], largest[1][at] = -most, most
    without, extreme = _shaped_edges(source)
    return {
        "rows with a missing value": [*_each_and_all(missing), *without],
        "rows with an unknown category": _each_and_all(unknown),
        "rows with a number that is far away": [*_each_and_all(far[0]), *_each_and_all(far[1])],
        "rows with the largest number": [*_each_and_all(largest[0]), *_each_and_all(largest[1])],
        "rows with an extreme value": extreme,
    }


def _shaped_edges(source: Source) -> tuple[list[Change], list[Change]]:
    """Changes to missing and to extreme values of the inputs whose values have a shape."""
    missing, extreme = list[Change](), list[Change]()
    for at, each in enumerate(source.signature.inputs):
        if isinstance(kind := COLUMN_TYPES[each.type], ShapedType):
            missing += [{at: value} for value in shaped_rows.missing(each, kind)]
            extreme += [{at: value} for value in shaped_rows.extreme(source, each, kind)]
    return missing, extreme


def _each_and_all(changes: Change) -> list[Change]:
    alone: list[Change] = [{at: value} for at, value in list(changes.items())[:MOST_CHANGED]]
    return [*alone, dict(changes)] if len(changes) > 1 else alone


def _changed(base: Table, changes: Sequence[Change]) -> Table:
    """The row once for each change."""
    columns: dict[str, Numbers | Texts] = {}
    for at, (name, values) in enumerate(base.columns.items()):
        column = plain(values)
        if isinstance(column, Texts):
            given = None if column.codes[0] < 0 else column.values[int(column.codes[0])]
            texts = [each.get(at, given) for each in changes]
            columns[name] = _texts([None if text is None else str(text) for text in texts])
        elif column.ndim > 1:
            columns[name] = np.stack([each.get(at, column[0]) for each in changes])
        else:
            numbers = [each.get(at, column[0]) for each in changes]
            columns[name] = np.array([np.nan if value is None else value for value in numbers], np.float64)
    return Table(columns)


def _texts(texts: Sequence[str | None]) -> Texts:
    values = sorted({text for text in texts if text is not None})
    positions = {text: at for at, text in enumerate(values)}
    return Texts(np.array([-1 if text is None else positions[text] for text in texts], np.int32), values)


def _unknown(each: Input) -> str:
    """A text that is none of the categories."""
    text = "unknown"
    while text in (each.categories or []):
        text += "?"
    return text
