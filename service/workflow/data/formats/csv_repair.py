"""Rewrites a CSV file that is not well formed as in RFC 4180."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from service.workflow.data.formats import csv_errors
from service.workflow.data.formats.csv_header import COMMENT, Header
from service.workflow.data.reading import Reading
from service.workflow.data.types.how import SPACE
from service.workflow.errors import InvalidData

LONGEST_CELL = 16 * 2**20
_STRAY_QUOTE = re.compile('(?<=[^",;\t|])"(?=[^",;\t|\r\n])')  # neither begins nor ends a cell
ESCAPE = "\\"  # some programs write it before a quote inside a quoted cell


@dataclass(frozen=True)
class Rows:
    """The numbers of lines that were left out."""

    empty: int = 0
    comments: int = 0

    def notes(self) -> list[str]:
        """The numbers in words."""
        counted = ((self.empty, "hold nothing but separators or spaces"), (self.comments, "are comments"))
        return [f"{count} lines {what} and were left out" for count, what in counted if count]


def rewrite_csv(path: Path, head: Header, reading: Reading, made: Path) -> Rows:
    """Copies the rows of a file in UTF-8 without blank lines and comments.

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
            reason = _describe(error.reason, path, error.line)
            raise InvalidData(f"line {error.line} cannot be read as CSV: {reason}") from None


class _Unreadable(InvalidData):
    """Python's CSV reader fails at this line."""

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
                while len(row) > width and not row[-1].strip(SPACE):  # trailing separators
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


def _describe(error: csv.Error, path: Path, line: int) -> str:
    with path.open("rb") as file:
        for _ in range(line - 1):
            file.readline()
        text = file.readline().decode("utf-8", "replace")
    column = text.find('"') + 1
    if "unexpected end" in str(error):
        return f"the quote at column {column} is not closed before the end of the file"
    if "expected after" in str(error):
        stray = _STRAY_QUOTE.search(text)
        column = column if stray is None else stray.start() + 1
        return f"the quote at column {column} is inside a quoted cell; write it twice"
    return csv_errors.describe(error)
