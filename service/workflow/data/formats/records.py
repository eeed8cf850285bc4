"""Records: JSON objects of scalars, one a row. A name that an object lacks is a missing value."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from service.workflow.data.types.category import as_text
from service.workflow.data.types.evidence import Evidence

if TYPE_CHECKING:
    import polars as pl

NUMBERS = frozenset((int, float))


def column_of(records: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    """The values of one name, None where a record has none."""
    return [record.get(name) for record in records]


def columns_of(records: Sequence[Mapping[str, Any]], names: list[str]) -> Iterator[Sequence[Any]]:
    """The values of each name; faster for few wide records with these names in this order."""
    if len(names) > len(records) and all(list(record) == names for record in records):
        return zip(*(record.values() for record in records), strict=True)
    return (column_of(records, name) for name in names)


def gather(values: Sequence[Any], evidence: Evidence) -> None:
    """Adds the values of a column to its evidence. JSON texts in the form of numbers are texts, unless the column has numbers
    too."""
    types = set(map(type, values)) - {type(None)}
    if types & {dict, list}:
        evidence.nested = True
        evidence.rows += len(values)
    elif types <= NUMBERS or types == {bool}:
        evidence.add_typed(values, is_number=types <= NUMBERS)
    elif types == {str}:
        evidence.add_texts(values)
    else:
        for value in values:
            if isinstance(value, str) or value is None:
                evidence.add_texts([value])
            else:
                evidence.add_typed([value], is_number=not isinstance(value, bool))


def series_of(values: Sequence[Any]) -> "pl.Series":
    """A column of numbers or booleans, or of texts if there are texts among the values."""
    import polars as pl

    types = set(map(type, values)) - {type(None)}
    if types <= {float}:
        return pl.Series("", values, pl.Float64)
    if types == {bool}:
        return pl.Series("", values, pl.Boolean)
    if types <= NUMBERS:
        whole = types == {int} and all(-(2**63) <= each < 2**63 for each in values if each is not None)
        return pl.Series("", values, pl.Int64 if whole else pl.Float64, strict=False)
    if types & {dict, list}:
        return pl.Series("", [None] * len(values), pl.String)
    return pl.Series("", [None if each is None else as_text(each) for each in values], pl.String)
