"""The schema of records that stand in a spec: the same types as of a file of JSON Lines, without polars."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from service.workflow.data.column_survey import MOST_OF_JSON
from service.workflow.data.formats.records import column_of, gather
from service.workflow.data.infer import Inferred, evidence_for, infer
from service.workflow.data.reading import Reading, ReadingOptions
from service.workflow.data.schema import MOST_VALUES_KEPT, Column, Scalar, Schema
from service.workflow.data.table import Wanted
from service.workflow.data.types.how import How
from service.workflow.data.values import column, spread


def schema_of(records: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Schema:
    """The columns with their types and statistics, and the words for missing values."""
    options = ReadingOptions()
    gathered = {name: evidence_for(options, ".", quoted=True) for name in names}
    for name, evidence in gathered.items():
        gather(column_of(records, name), evidence)
    found = infer(gathered, options, day_first=False)
    reading = Reading(missing=found.missing)
    columns = [_column(name, column_of(records, name), found.columns[name], reading) for name in names]
    return Schema(rows=len(records), columns=columns, reading=reading)


def _column(name: str, values: Sequence[Any], inferred: Inferred, reading: Reading) -> Column:
    how = How(frozenset(reading.missing), date_format=inferred.date_format)
    assert inferred.type != "unsupported"  # noqa: S101 - a spec's records hold scalars only
    read = column(values, Wanted(inferred.type, exact=True), how)
    present: list[Any]
    if inferred.type == "category":
        present = [read.values[code] for code in read.codes if code >= 0]  # type: ignore[union-attr]
    else:
        present = np.asarray(read)[~np.isnan(np.asarray(read))].tolist()
    whole = inferred.type == "number" and all(value.is_integer() for value in present)
    counted: Counter[Any] = Counter(_as_type(value, inferred.type, whole) for value in present)
    few = len(counted) <= MOST_VALUES_KEPT
    distinct: list[Scalar] = sorted(counted)
    labels = _labels(values, inferred, reading)
    return Column(
        name=name,
        type=inferred.type,
        integer=whole,
        statistics=spread(np.array(present)) if inferred.type == "number" and present else {},
        missing=len(values) - len(present),
        values=distinct if few else None,
        counts=[counted[value] for value in distinct] if few else None,
        labels=sorted(labels) if labels else None,
        label_counts=[labels[each] for each in sorted(labels)] if labels else None,
        date_format=inferred.date_format,
        reason=inferred.reason,
        examples=list(inferred.examples),
        misfits=dict(inferred.misfits),
    )


def _as_type(value: Any, kind: str, whole: bool) -> Scalar:
    if kind == "boolean":
        return bool(value)
    return int(value) if whole and abs(value) < MOST_OF_JSON else value


def _labels(values: Sequence[Any], inferred: Inferred, reading: Reading) -> Counter[Any]:
    """Where a target's classes are not the values: in the words of the data, and whole numbers with all their digits."""
    if inferred.type == "boolean":
        words = Counter(value.strip() for value in values if isinstance(value, str) and value.strip())
        for word in reading.missing:
            words.pop(word, None)
        return words
    if inferred.type == "number" and any(isinstance(value, int) and abs(value) >= 2**53 for value in values):
        whole = Counter(value for value in values if isinstance(value, int))
        return whole if len(whole) <= MOST_VALUES_KEPT else Counter()
    return Counter()
