"""The schema of the records in a spec: the same types as for a JSON Lines file, without polars."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from service.workflow.data.formats.records import columns_of, gather
from service.workflow.data.infer import Inferred, evidence_for, infer
from service.workflow.data.reading import Reading, ReadingOptions
from service.workflow.data.schema import MOST_VALUES_KEPT, Column, Schema
from service.workflow.data.table import Numbers, RequestedColumn, Texts
from service.workflow.data.types.how import How
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.data.values import column


def schema_of(records: Sequence[Mapping[str, Any]], names: list[str]) -> Schema:
    """The columns with their types and statistics, and the words for missing values."""
    options = ReadingOptions()
    gathered = {name: evidence_for(options, ".", quoted=True) for name in names}
    for values, evidence in zip(columns_of(records, names), gathered.values(), strict=True):
        gather(values, evidence)
    found = infer(gathered, options, day_first=False)
    reading = Reading(missing=found.missing)
    columns = [
        surveyed(name, values, found.columns[name], reading)
        for name, values in zip(names, columns_of(records, names), strict=True)
    ]
    return Schema(rows=len(records), columns=columns, reading=reading)


def surveyed(name: str, values: Sequence[Any], inferred: Inferred, reading: Reading) -> Column:
    """A column with its statistics, from values of JSON of the type that was inferred.

    Raises:
        InvalidValue: the first value that is not of that type.
    """
    how = How(frozenset(reading.missing), date_format=inferred.date_format)
    assert inferred.type != "unsupported"  # noqa: S101 - the records of a spec hold only scalars
    return described(name, column(values, RequestedColumn(inferred.type, exact=True), how), inferred, how, values)


def described(
    name: str, read: Numbers | Texts, inferred: Inferred, how: How, values: Sequence[Any] | None = None
) -> Column:
    """A column with its statistics, as it was read; and from the values of JSON that it was read from, if it was."""
    kind = COLUMN_TYPES[inferred.type]
    if isinstance(read, Texts):
        present = read.codes[read.codes >= 0]
        by_text = sorted(zip(read.values, np.bincount(present, minlength=len(read.values)).tolist(), strict=True))
        distinct, counts = [text for text, _ in by_text], [count for _, count in by_text]
    else:
        present = read[~np.isnan(read)]
        distinct, counts = (each.tolist() for each in np.unique(present, return_counts=True))
    of_type = kind.survey(how)
    if isinstance(read, Texts):
        of_type.add_texts(read)
    else:
        of_type.add_numbers(present)
    few = kind.lists_values and len(distinct) <= MOST_VALUES_KEPT
    labels = Counter[Any]() if values is None else kind.record_labels(values, present, how)
    return Column(
        name=name,
        type=inferred.type,
        integer=of_type.integer,
        statistics=of_type.statistics(),
        missing=len(read) - len(present),
        values=kind.scalars(distinct, integer=of_type.integer) if few else None,
        counts=counts if few else None,
        labels=sorted(labels) if labels else None,
        label_counts=[labels[each] for each in sorted(labels)] if labels else None,
        date_format=inferred.date_format,
        reason=inferred.reason,
        examples=list(inferred.examples),
        misfits=dict(inferred.misfits),
    )
