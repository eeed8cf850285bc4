"""A CSV file that is not well formed, written anew as RFC 4180 has it."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from service.workflow.data.formats import csv_errors
from service.workflow.data.formats.csv_header import COMMENT, Header
from service.workflow.data.reading import Reading
from service.workflow.data.types.column_kind import SPACE
from service.workflow.errors import InvalidData

LONGEST_CELL = 16 * 2**20
ESCAPE = "\\"  # before a quote inside of a quoted cell, as some programs write it


@dataclass(frozen=True)
class Rows:
    """How many lines were left out because they are empty or comments."""

    empty: int = 0
    comments: int = 0

    def notes(self) -> list[str]:
        """In words."""
        counted = ((self.empty, "hold nothing but separators or spaces"), (self.comments, "are comments"))
        return [f"{count} lines {what} and were left out" for count, what in counted if count]


def rewrite_csv(path: Path, head: Header, reading: Reading, made: Path) -> Rows:
    """Writes the rows of a file in UTF-8 into another one; lines without content, and comments, are left out.

    Raises:
        InvalidData: a line, named, has more or fewer cells than the header, or cannot be read.
    """
    csv.field_size_limit(LONGEST_CELL)
    try:
        return _write(path, head, reading, made, None)
    except _Unreadable as error:
        try:
            return _write(path, head, reading, made, ESCAPE)
        except _Unreadable:
            reason = _in_plain_words(error.reason, path, error.line)
            raise InvalidData(f"line {error.line} cannot be read as CSV: {reason}") from None


class _Unreadable(InvalidData):
    """Python's reader stops at this line."""

    def __init__(self, line: int, reason: csv.Error) -> None:
        super().__init__(str(reason))
        self.line, self.reason = line, reason


def _write(path: Path, head: Header, reading: Reading, made: Path, escape: str | None) -> Rows:
    separator, width = reading.separator or ",", len(head.names)
    empty = comments = 0
    with path.open(encoding="utf-8", newline="") as source, made.open("w", encoding="utf-8", newline="") as target:
        for _ in range(head.first_row - 1):
            source.readline()
        write = csv.writer(target, delimiter=separator, lineterminator="\n").writerow
        reader = csv.reader(source, delimiter=separator, skipinitialspace=reading.trim, strict=True, escapechar=escape)
        line = head.first_row
        try:
            for row in reader:
                while len(row) > width and not row[-1].strip(SPACE):  # separators at the end of the line
                    row.pop()
                if not any(cell.strip(SPACE) for cell in row):
                    empty += 1
                elif len(row) == width:
                    write(row)
                elif row[0].startswith(COMMENT):
                    comments += 1
                else:
                    raise InvalidData(f"line {line} has {len(row)} cells, and the header names {width}")
                line = head.first_row + reader.line_num
        except csv.Error as error:
            raise _Unreadable(line, error) from None
    return Rows(empty, comments)


def _in_plain_words(error: csv.Error, path: Path, line: int) -> str:
    with path.open("rb") as file:
        for _ in range(line - 1):
            file.readline()
        text = file.readline().decode("utf-8", "replace")
    column = text.find('"') + 1
    if "unexpected end" in str(error):
        return f"the quote at column {column} is not closed before the end of the file"
    if "expected after" in str(error):
        stray = next((at for at, _ in _stray_quotes(text)), column)
        return f"the quote at column {stray} stands inside of a quoted cell; write it twice"
    return csv_errors.describe(error)


def _stray_quotes(text: str) -> Iterator[tuple[int, str]]:
    """Quotes that neither begin nor end a cell."""
    for found in re.finditer('(?<=[^",;\t|])"(?=[^",;\t|\r\n])', text):
        yield found.start() + 1, text
