"""The header of a CSV file: the line with the names of the columns."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from service.workflow.data.formats import csv_errors
from service.workflow.data.reading import Reading
from service.workflow.data.schema import MOST_COLUMNS
from service.workflow.data.types.how import SPACE
from service.workflow.data.types.names import LONGEST_NAME
from service.workflow.errors import InvalidData
from service.workflow.spec_base import shown

LONGEST_HEADER = 4 * 2**20
COMMENT = "#"
BOM = "\ufeff"


@dataclass(frozen=True)
class Header:
    """The names of the columns, the line where the rows begin (counted from 1), and notes on changed names."""

    names: list[str]
    first_row: int
    notes: list[str]
    nameless: frozenset[int]  # positions of columns without a name in the file


def read_header(path: Path, reading: Reading) -> Header:
    """The names in the first line that is neither empty nor a comment.

    Raises:
        InvalidData: there is none, it is too long, or it names too many columns.
    """
    with path.open(encoding="utf-8", newline="") as file:
        cells, line = _first_record(file, reading)
        if reading.trim and lacks_name_of_rows(cells, _cells(file.readline(LONGEST_HEADER), reading)):
            cells = ["", *cells]
    if len(cells) > MOST_COLUMNS:
        raise InvalidData(f"the header names {len(cells)} columns; at most {MOST_COLUMNS} are possible")
    return name_columns(cells, line, reading)


def lacks_name_of_rows(names: Sequence[str], row: Sequence[str]) -> bool:
    """Whether the row has one cell more than there are names: a column of row names without a name, as R writes it."""
    if len(row) != len(names) + 1 or not row[-1].strip():  # it ends in a separator
        return False
    return any(map(_is_number, row[1:])) and not any(map(_is_number, names))


def name_columns(cells: Sequence[str], first_row: int, reading: Reading) -> Header:
    """Stripped, non-empty and unique names for columns.

    Raises:
        InvalidData: a name is too long.
    """
    names: list[str] = []
    notes, nameless = [], set()
    for position, cell in enumerate(cells):
        name = cell.strip(SPACE) if reading.trim else cell
        if len(name) > LONGEST_NAME:
            what = f"the name of column {position + 1} has {len(name)} characters; at most {LONGEST_NAME} are possible"
            raise InvalidData(f"{what} ({shown(name)}); is the first line the one with the names?")
        if not name:
            nameless.add(position)
            name = f"column_{position + 1}"
        names.append(name)
    taken, seen, numbers = set(names), set[str](), dict[str, int]()
    for position, name in enumerate(names):
        if name in seen:
            number = numbers.get(name, 1) + 1
            while f"{name}_{number}" in taken:
                number += 1
            numbers[name], names[position] = number, f"{name}_{number}"
            taken.add(names[position])
            called = f"column {position + 1} is called {shown(names[position])}"
            notes.append(f"the name {shown(name)} occurs more than once; {called}")
        seen.add(names[position])
    return Header(names, first_row, notes, frozenset(nameless))


def _first_record(file: TextIO, reading: Reading) -> tuple[list[str], int]:
    """The cells of the header, and the number of the line after it."""
    number = 0
    for _ in range(reading.skip_lines):
        if not file.readline(LONGEST_HEADER):
            raise InvalidData(f"the file has fewer than {reading.skip_lines} lines, which `skip_lines` leaves out")
        number += 1
    comment = ""
    while True:
        before = file.tell()
        line = file.readline(LONGEST_HEADER + 1)
        if not line:
            raise InvalidData("the file is empty; a first line with the names of the columns is expected")
        if len(line) > LONGEST_HEADER:
            raise InvalidData(f"the first line is longer than {LONGEST_HEADER} bytes")
        text = line.removeprefix(BOM) if before == 0 else line
        if reading.trim and not text.strip(SPACE + (reading.separator or ",")):
            number += 1
        elif reading.trim and text.startswith(COMMENT):
            comment, number = text, number + 1
        elif reading.trim and text.lower().startswith("sep=") and len(text.rstrip("\r\n")) == 5:
            number += 1
        else:
            break
    if comment and _is_header_of(comment, text, reading):
        return _cells(comment.lstrip(COMMENT), reading), number + 1
    return _record(text, file, reading, number)


def _is_header_of(comment: str, line: str, reading: Reading) -> bool:
    """Whether a comment names the columns of the line after it, as numpy writes it: the same number of cells, numbers only in
    the line."""
    names, values = _cells(comment.lstrip(COMMENT), reading), _cells(line, reading)
    if len(names) != len(values) or len(names) < 2:
        return False
    return not any(map(_is_number, names)) and any(map(_is_number, values))


def _is_number(cell: str) -> bool:
    try:
        float(cell.strip().replace(",", "."))
    except ValueError:
        return False
    return True


def _cells(line: str, reading: Reading) -> list[str]:
    reader = csv.reader([line.rstrip("\r\n")], delimiter=reading.separator or ",", skipinitialspace=reading.trim)
    try:
        return next(reader, [])
    except csv.Error as error:
        raise InvalidData(f"the header cannot be read: {csv_errors.describe(error)}") from error


def _record(line: str, file: TextIO, reading: Reading, number: int) -> tuple[list[str], int]:
    """The cells of a header, whose quoted names may span lines, and the number of the line after it."""
    text = line
    while text.count('"') % 2:
        more = file.readline(LONGEST_HEADER)
        if not more or len(text) > LONGEST_HEADER:
            raise InvalidData("the header cannot be read: a quoted name does not end")
        text, number = text + more, number + 1
    number += 1
    try:
        lines, separator = io.StringIO(text, newline=""), reading.separator or ","
        return next(csv.reader(lines, delimiter=separator, skipinitialspace=reading.trim), []), number + 1
    except csv.Error as error:
        raise InvalidData(f"the header cannot be read: {csv_errors.describe(error)}") from error
