"""Rows written into the spec itself."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import Field, model_validator

from service.workflow.data.columns import Columns
from service.workflow.data.schema import MOST_VALUES_KEPT, Column, Scalar, Schema
from service.workflow.data.table import Table, Wanted
from service.workflow.data.values import InvalidValue, column
from service.workflow.errors import Fault, InvalidData, InvalidSpec, step
from service.workflow.specification import shown

Value = bool | int | float | str | None


class RowsData(Columns):
    """Records in the spec: `[{"x": 0.5, "y": 0.8}, …]`. A field absent or null is a missing value."""

    kind: Literal["rows"] = "rows"
    records: Annotated[list[dict[str, Value]], Field(min_length=1, max_length=1_000_000)]

    @model_validator(mode="after")
    def _has_columns(self) -> Self:
        if not self.names:
            raise ValueError("the records have no fields")
        return self

    @property
    def names(self) -> list[str]:
        """The fields of the records, in order of first appearance."""
        return list(dict.fromkeys(name for record in self.records for name in record))

    def schema_of_table(self) -> Schema:
        """The columns, with the types told from their values.

        Raises:
            InvalidSpec: a column mixes types.
        """
        columns = [_column(name, [record.get(name) for record in self.records]) for name in self.names]
        return Schema(rows=len(self.records), columns=columns)

    def fingerprint(self) -> str:
        """The SHA-256 of the records."""
        return hashlib.sha256(orjson.dumps(self.records, option=orjson.OPT_SORT_KEYS)).hexdigest()

    def load(self, wanted: Mapping[str, Wanted]) -> Table:
        """The wanted columns of the records.

        Raises:
            InvalidData: a value is not of the wanted type; the row is named.
        """
        columns = {}
        for name, each in wanted.items():
            try:
                columns[name] = column([record.get(name) for record in self.records], each)
            except InvalidValue as error:
                raise InvalidData(f"the column {name!r}, record {error.row}: {error}") from None
        return Table(columns)


def _column(name: str, values: Sequence[Value]) -> Column:
    present = [value for value in values if value is not None]
    kinds = {_kind(value) for value in present} or {"number"}
    if len(kinds) > 1:
        odd = next(i for i, value in enumerate(values) if value is not None and _kind(value) != _kind(present[0]))
        message = f"{shown(values[odd])} is no {_kind(present[0])}, and the values of {name!r} before it are"
        raise InvalidSpec(Fault(f"/data/records/{odd}{step(name)}", message))
    kind = kinds.pop()
    distinct: list[Scalar] = sorted(set(present))
    if kind == "number":
        distinct = [int(value) if float(value).is_integer() else value for value in distinct]
    counted, few = Counter(present), len(distinct) <= MOST_VALUES_KEPT
    return Column(
        name=name,
        type=kind,
        integer=kind == "number" and all(float(value).is_integer() for value in present),
        statistics={"min": min(present), "max": max(present)} if kind == "number" and present else {},
        missing=len(values) - len(present),
        values=distinct if few else None,
        counts=[counted[value] for value in distinct] if few else None,
    )


def _kind(value: Any) -> Literal["boolean", "number", "category"]:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else "category"
