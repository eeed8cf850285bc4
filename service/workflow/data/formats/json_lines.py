"""JSON Lines, with one object a line; and JSON documents that are a list of objects."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from service.strict_json import BOM, NotStrictJson, TooManyBrackets, decode
from service.workflow.data.formats.records import column_of, gather, series_of
from service.workflow.data.formats.table_file import Batch, TableFile
from service.workflow.data.reading import Reading
from service.workflow.data.schema import BATCH_ROWS, MOST_COLUMNS
from service.workflow.data.types.evidence import Evidence
from service.workflow.errors import InvalidData

if TYPE_CHECKING:
    import polars as pl

MOST_DOCUMENT_BYTES = 512 * 2**20
BATCH_BYTES = 16 * 2**20


class JsonLinesFile(TableFile):
    """A file with one object a line."""

    typed = True

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def names(self) -> list[str]:  # type: ignore[override] # computed on request: a training knows the names
        """The names in order of first appearance.

        Raises:
            InvalidData: a line is no object, or there are too many names.
        """
        names: dict[str, None] = {}
        for records in self._records():
            for record in records:
                names.update(dict.fromkeys(record))
            if len(names) > MOST_COLUMNS:
                raise InvalidData(f"the objects have {len(names)} names; at most {MOST_COLUMNS} are possible")
        return list(names)

    def gather(self, evidence: Mapping[str, Evidence]) -> "dict[str, pl.DataType]":
        """Adds the values of all columns, whose JSON types may differ from row to row."""
        for records in self._records():
            for name, each in evidence.items():
                gather(column_of(records, name), each)
        return {}

    def batches(self, names: Sequence[str], plain: "Mapping[str, pl.DataType]") -> "Iterator[Batch]":
        """The named columns in batches."""
        for records in self._records():
            yield {name: series_of(column_of(records, name)) for name in names}

    def _records(self) -> Iterator[list[dict[str, Any]]]:
        records: list[dict[str, Any]] = []
        size = 0
        with self._path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                text = line.removeprefix(BOM) if number == 1 else line
                if text.strip():
                    records.append(_record(text, number))
                    size += len(text)
                if len(records) >= BATCH_ROWS or size >= BATCH_BYTES:
                    yield records
                    records, size = [], 0
        if records:
            yield records


def _record(line: bytes, number: int) -> dict[str, Any]:
    try:
        row = decode(line)
    except (NotStrictJson, TooManyBrackets) as error:
        raise InvalidData(f"line {number} is not JSON: {error}") from None
    if not isinstance(row, dict):
        raise InvalidData(f"line {number} is not an object of numbers, texts, booleans and nulls")
    return row


def open_json_lines(path: Path, reading: Reading, scratch: Path) -> JsonLinesFile:
    """Opens a file with one object a line. Reading raises InvalidData for a line that is none."""
    return JsonLinesFile(path)


def open_json(path: Path, reading: Reading, scratch: Path) -> JsonLinesFile:
    """Opens a document that is a list of objects, rewritten with one object a line.

    Raises:
        InvalidData: it is something else, or too large.
    """
    if path.stat().st_size > MOST_DOCUMENT_BYTES:
        raise InvalidData(f"one JSON document may have {MOST_DOCUMENT_BYTES} bytes; send JSON Lines, one object a line")
    try:
        # Any number of brackets: the size of the file and the memory of this process are bounded.
        document = decode(path.read_bytes().removeprefix(BOM), most_brackets=math.inf)
    except NotStrictJson as error:
        raise InvalidData(f"the file is not JSON: {error}; a list of objects is expected") from None
    if not isinstance(document, list) or not all(isinstance(each, dict) for each in document):
        raise InvalidData("the JSON is not a list of objects, one a row: [{…}, {…}]")
    made = scratch / "records.jsonl"
    with made.open("wb") as file:
        for each in document:
            file.write(orjson.dumps(each, option=orjson.OPT_APPEND_NEWLINE))
    return JsonLinesFile(made)
