"""Rows written into the spec itself."""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Literal, Self

import orjson
from pydantic import Field, model_validator

from service.workflow.data.columns import Columns
from service.workflow.data.formats.records import column_of
from service.workflow.data.records_schema import schema_of
from service.workflow.data.schema import Schema, how_of
from service.workflow.data.table import Table, Wanted
from service.workflow.data.types.names import LONGEST_NAME
from service.workflow.data.values import InvalidValue, column
from service.workflow.errors import InvalidData
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
        odd = next((name for name in self.names if not 1 <= len(name) <= LONGEST_NAME), None)
        if odd is not None:
            raise ValueError(f"a field's name has 1 to {LONGEST_NAME} characters; {shown(odd)} has {len(odd)}")
        return self

    @property
    def names(self) -> list[str]:
        """The fields of the records, in order of first appearance."""
        return list(dict.fromkeys(name for record in self.records for name in record))

    def schema_of_table(self) -> Schema:
        """The columns, with the types inferred from their values."""
        return schema_of(self.records, self.names)

    def fingerprint(self) -> str:
        """The SHA-256 of the records."""
        return hashlib.sha256(orjson.dumps(self.records, option=orjson.OPT_SORT_KEYS)).hexdigest()

    def load(self, wanted: Mapping[str, Wanted]) -> Table:
        """The wanted columns of the records.

        Raises:
            InvalidData: a value is not of the wanted type; the row is named.
        """
        schema = self.schema_of_table()
        columns = {}
        for name, each in wanted.items():
            try:
                columns[name] = column(column_of(self.records, name), each, how_of(schema, name))
            except InvalidValue as error:
                raise InvalidData(f"the column {name!r}, record {error.row}: {error}") from None
        return Table(columns)
