"""Rows written into the spec itself."""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import PlainValidator, ValidationError
from pydantic_core import InitErrorDetails

from service.workflow.data.columns import Columns
from service.workflow.data.data_kind import ChooseColumns, FindDataset, LoadedData
from service.workflow.data.formats.records import column_of
from service.workflow.data.records_schema import schema_of
from service.workflow.data.schema import MOST_COLUMNS, Schema, how_of
from service.workflow.data.table import Table
from service.workflow.data.types.names import LONGEST_NAME
from service.workflow.data.values import InvalidValue, column
from service.workflow.errors import InvalidData
from service.workflow.spec_base import MOST_FAULTS, error_at, shown

Value = bool | int | float | str | None
Record = dict[str, Value]
MOST_RECORDS = 1_000_000
MOST_ABSENT = 1_000_000  # values that records lack: they cost as much as others, but no bytes of a body
VALUES = frozenset((bool, int, float, str, type(None)))


def _records(given: Any) -> list[Record]:
    """The records, validated. pydantic would take half a minute and gigabytes to report the faults of 100,000 records.

    Raises:
        ValidationError: the first faults.
    """
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_RECORDS:
        raise ValueError(f"expected a list of 1 to {MOST_RECORDS} records")
    found: list[InitErrorDetails] = []
    names: dict[str, None] = {}
    for at, record in enumerate(given):
        if type(record) is dict and VALUES.issuperset(map(type, record.values())):
            if not record.keys() <= names.keys():
                names.update(dict.fromkeys(record))
        else:
            found += _faults(at, record)
        if len(found) >= MOST_FAULTS or len(names) > MOST_COLUMNS:
            break
    if not found:
        _check(names, given)
        return given
    raise ValidationError.from_exception_data("records", found[:MOST_FAULTS])


def _faults(at: int, record: Any) -> list[InitErrorDetails]:
    """The faults of a record, or of its first invalid values."""
    if not isinstance(record, dict):
        return [error_at((at,), "expected an object of values by field", record)]
    invalid = [name for name, value in record.items() if type(value) not in VALUES][:MOST_FAULTS]
    message = "expected a number, a text, true, false or null"
    return [error_at((at, name), message, record[name]) for name in invalid]


def _check(names: Mapping[str, None], records: list[Record]) -> None:
    if not names:
        raise ValueError("the records have no fields")
    invalid = next((name for name in names if not 1 <= len(name) <= LONGEST_NAME), None)
    if invalid is not None:
        raise ValueError(f"a field's name has 1 to {LONGEST_NAME} characters; {shown(invalid)} has {len(invalid)}")
    if len(names) > MOST_COLUMNS:
        raise ValueError(f"the records have more than {MOST_COLUMNS} fields together, the most that is taken")
    absent = len(names) * len(records) - sum(map(len, records))
    if absent > MOST_ABSENT:
        lacking = f"{len(records)} records with {len(names)} fields together lack {absent} values"
        raise ValueError(f"{lacking}, more than {MOST_ABSENT}, the most that is taken here: upload them as a data set")


Records = Annotated[list[Record], PlainValidator(_records, json_schema_input_type=list[Record])]


class RowsData(Columns):
    """Records in the spec: `[{"x": 0.5, "y": 0.8}, …]`. A field absent or null is a missing value."""

    kind: Literal["rows"] = "rows"
    records: Records

    @cached_property
    def names(self) -> list[str]:
        """The fields of the records, in order of first appearance."""
        return list(dict.fromkeys(chain.from_iterable(self.records)))

    def survey(self, find: FindDataset) -> tuple[Self, Schema]:
        """The schema has the types inferred from the values."""
        return self, schema_of(self.records, self.names)

    def load(self, choose: ChooseColumns, find: FindDataset, scratch: Path) -> LoadedData:
        """The chosen columns of the records; the digest is the SHA-256 of the records as JSON.

        Raises:
            InvalidData: a value is not of the wanted type; the column and record are named.
        """
        schema = schema_of(self.records, self.names)
        columns = {}
        for name, each in choose(schema).items():
            try:
                columns[name] = column(column_of(self.records, name), each, how_of(schema, name))
            except InvalidValue as error:
                raise InvalidData(f"the column {shown(name)}, record {error.row}: {error}") from None
        digest = hashlib.sha256(orjson.dumps(self.records, option=orjson.OPT_SORT_KEYS)).hexdigest()
        return LoadedData(Table(columns), {"digest": digest})

    def to_json(self) -> dict[str, Any]:
        """The records are JSON already: pydantic would copy each value again, without releasing the interpreter."""
        return {**self.model_dump(mode="json", exclude={"records"}), "records": self.records}
