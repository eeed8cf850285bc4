"""CSV: a first line with the names of the inputs, then one line a row. An empty field is a missing value; a blank line is no
row. The file's own form is read, too: its separator, decimal comma, encoding, words for missing values and forms of dates."""

import codecs
import csv
import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from service.serving.fast_json import number_cells
from service.serving.formats import formulas
from service.serving.formats.columns import (
    MOST_EMPTY_LINES,
    MOST_VALUES,
    check_lines,
    from_frame,
    from_matrix,
    invalid,
    polars_called,
)
from service.serving.formats.tables import Array, answers_frame
from service.serving.input_values import greatest
from service.serving.instances import MOST_ROWS, check_names, from_texts
from service.serving.warm_models import Warm
from service.workflow.data.formats import csv_errors
from service.workflow.data.formats.csv_header import name_columns
from service.workflow.data.formats.csv_repair import ESCAPE
from service.workflow.data.reading import Reading
from service.workflow.errors import InvalidData
from service.workflow.signature import Signature

if TYPE_CHECKING:
    import polars as pl

SEPARATORS = (",", ";", "\t", "|")
AS_UPLOADED = Reading(separator=",")  # of which only the names of the columns are read so
_SEPARATOR = re.compile(rb"(?i)sep=(.)\r?")
LONGEST_HEADER = 4 * 2**20
LONGEST_FIELD = 2**24
MOST_COLUMNS = 10_000
SPACE = b" \t\r"


def read(body: bytes, signature: Signature, missing_allowed: bool) -> torch.Tensor:
    """Raw features [n, slots]. The body may be in the form of the data: with its separator, decimal comma and encoding.

    Raises:
        InvalidInstances: what is wrong, by column and row.
    """
    _check_size(body)
    head, rows, separator = _divided(_in_utf8(body, signature), signature)
    names = [formulas.name_of(name) for name in _names(head, separator)]
    if separator == "," and b'"' not in rows:  # a comma before a fraction would have been quoted
        signature = signature.with_points
    check_names(signature, dict.fromkeys(names))
    kept = formulas.are_in(rows)
    found = None if kept else _quickly(rows, names, separator, signature, missing_allowed)
    if found is not None:
        return found
    frame = _frame(_well_formed(rows, len(names), separator), names, signature, separator)
    frame = formulas.text_of(frame) if kept else frame
    return from_frame(signature, frame, missing_allowed, as_text=True)


def _check_size(body: bytes) -> None:
    """There are neither too many lines nor too many cells, empty ones included: what is made of each takes many times its
    byte.

    Raises:
        InvalidInstances: there are.
    """
    if len(body) <= 2 * MOST_ROWS:
        return
    given = np.frombuffer(body, np.uint8)
    lines = int(np.count_nonzero(given == ord("\n")))
    if lines > 2 * MOST_ROWS:
        raise invalid(f"has {lines} lines, empty ones included; at most {MOST_ROWS} rows are taken in one request")
    for separator in SEPARATORS:
        cells = int(np.count_nonzero(given == ord(separator)))
        if cells > 2 * MOST_VALUES:
            raise invalid(f"has {cells} cells, empty ones included; at most {MOST_VALUES} are taken in one request")


def _quickly(
    rows: bytes, names: list[str], separator: str, signature: Signature, missing_allowed: bool
) -> torch.Tensor | None:
    """Raw features of plain rows, whose numbers are as JSON writes them; None where there is anything else."""
    numbers = {each.name for each in signature.inputs if each.type == "number" and each.decimal is None}
    wanted = {each.name for each in signature.inputs}
    others = [at for at, name in enumerate(names) if name not in numbers]
    found = number_cells(rows, len(names), separator.encode(), others)
    if found is None or len(found.numbers) > MOST_ROWS:
        return None
    taken = found.numbers[:, [at for at, name in enumerate(names) if name in numbers]]
    if (np.abs(taken) > greatest(signature.inputs)).any() or (not missing_allowed and np.isnan(taken).any()):
        return None
    if wanted == numbers:
        return from_matrix(
            signature, found.numbers[:, [names.index(each.name) for each in signature.inputs]], missing_allowed
        )
    columns = {name: found.texts.get(at, found.numbers[:, at]) for at, name in enumerate(names) if name in wanted}
    return from_texts(signature, columns, missing_allowed)


def _in_utf8(body: bytes, signature: Signature) -> bytes:
    """The body in UTF-8 with lines that end in a line feed: it is that already, or in UTF-16 by its mark, or in the encoding
    of the data.

    Raises:
        InvalidInstances: it is in none of these.
    """
    wide = body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encodings = ("utf-16",) if wide else ("utf-8", signature.encoding) if signature.encoding else ("utf-8",)
    for encoding in encodings:
        try:
            text = body.decode(encoding)
        except UnicodeDecodeError as error:
            wrong = bytes(error.object).count(b"\n", 0, error.start) + 1
        else:
            if "\0" not in text:
                made = body if encoding == "utf-8" else text.encode()
                made = made.removeprefix(codecs.BOM_UTF8)
                return made if b"\n" in made or b"\r" not in made.rstrip() else made.replace(b"\r", b"\n")
            wrong = 1
    raise invalid(f"line {wrong} is no text in {encodings[-1]}; UTF-8{_or_of_the_data(signature)} is expected")


def _or_of_the_data(signature: Signature) -> str:
    return f", or {signature.encoding} as in the data," if signature.encoding else ""


def _divided(body: bytes, signature: Signature) -> tuple[bytes, bytes, str]:
    """The line with the names, the rows, and what separates their cells."""
    start, said = 0, ""
    for _ in range(MOST_EMPTY_LINES + 1):
        end = _end_of_line(body, start)
        line = body[start:end]
        bare = line.strip(SPACE + b",;|")
        if (not bare or bare.startswith(b"#")) and end + 1 < len(body):
            start = end + 1
        elif (named := _SEPARATOR.fullmatch(line)) is not None:
            start, said = end + 1, named[1].decode()
        else:
            break
    else:
        raise invalid(f"{MOST_EMPTY_LINES} empty lines stand before the line with the names")
    while body.count(b'"', start, end) % 2 and end < len(body) and end - start <= LONGEST_HEADER:
        # A quoted name goes on in the next line that has a quote.
        quote = body.find(b'"', end)
        end = _end_of_line(body, end + 1 if quote < 0 else quote)
    if end - start > LONGEST_HEADER:
        raise invalid(f"the first line is longer than {LONGEST_HEADER} bytes")
    line = body[start:end]
    return line, body[end + 1 :], said or _separator(line, signature)


def _end_of_line(body: bytes, start: int) -> int:
    found = body.find(b"\n", start)
    return found if found >= 0 else len(body)


def _separator(line: bytes, signature: Signature) -> str:
    """The one by which the most inputs are named; a comma where none tells."""
    wanted = {each.name.encode() for each in signature.inputs}
    best, separator = 0, ","
    for candidate in SEPARATORS:
        found = {cell.strip(SPACE).strip(b'"') for cell in line.split(candidate.encode())}
        if len(found & wanted) > best:
            best, separator = len(found & wanted), candidate
    return separator


def _names(line: bytes, separator: str) -> list[str]:
    """The names in the first line, as an upload has them.

    Raises:
        InvalidInstances: there are none, or they cannot be read.
    """
    text = line.decode().rstrip("\r")
    if text.count('"') % 2:
        raise invalid("the header cannot be read: a quoted name does not end")
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
        cells = next(reader, [])
    except csv.Error as error:
        raise invalid(f"the header cannot be read: {csv_errors.describe(error)}") from error
    if not any(map(str.strip, cells)):
        raise invalid("the body is empty; a first line with the names of the columns is expected")
    if len(cells) > MOST_COLUMNS:
        raise invalid(f"the header names {len(cells)} columns; at most {MOST_COLUMNS} are possible")
    try:
        return name_columns(cells, 2, AS_UPLOADED).names
    except InvalidData as error:
        raise invalid(str(error)) from None


def _well_formed(rows: bytes, width: int, separator: str) -> bytes:
    """The rows without blank lines.

    Raises:
        InvalidInstances: a line, named, has more or fewer fields than the header.
    """
    if b'"' not in rows:
        lines = [line for line in rows.split(b"\n") if line.strip(SPACE)]
        check_lines(rows.count(b"\n"), len(lines))
        alike = {line.count(separator.encode()) for line in lines} <= {width - 1}
        if alike and rows.count(b"\r") == rows.count(b"\r\n"):
            return b"\n".join(lines)
    text = rows.decode()
    try:
        return _written_anew(text, width, separator, None)
    except csv.Error as error:
        try:
            return _written_anew(text, width, separator, ESCAPE)
        except csv.Error:
            raise invalid(str(error)) from error


def _written_anew(rows: str, width: int, separator: str, escape: str | None) -> bytes:
    """Row by row with Python's reader: slower, but it knows quotes and can name the line."""
    csv.field_size_limit(LONGEST_FIELD)
    made = io.StringIO()
    write = csv.writer(made, delimiter=separator, lineterminator="\n").writerow
    source = io.StringIO(rows, newline="")
    reader = csv.reader(source, delimiter=separator, skipinitialspace=True, strict=True, escapechar=escape)
    line = 2
    try:
        for row in reader:
            while len(row) > width and not row[-1].strip():  # a separator at the end of the line
                row.pop()
            if len(row) != width and any(map(str.strip, row)):
                raise invalid(f"line {line} has {len(row)} fields, and the header names {width}")
            if len(row) == width and (width > 1 or not row[0].isspace()):
                write(row)
            line = reader.line_num + 2
    except csv.Error as error:
        raise csv.Error(f"line {line} cannot be read as CSV: {csv_errors.describe(error)}") from None
    return made.getvalue().encode()


def _frame(rows: bytes, names: list[str], signature: Signature, separator: str) -> "pl.DataFrame":
    """The rows as a table: numbers where all of a column are, and else texts."""
    numbers = {each.name for each in signature.inputs if each.type == "number" and each.decimal is None}
    with polars_called("the CSV cannot be read") as pl:
        text = {f"c{at}": pl.String() for at in range(len(names))}  # by position: a name may mean something to polars
        parsed = text | {f"c{at}": pl.Float64() for at, name in enumerate(names) if name in numbers}
        try:
            frame = _table(pl, rows, parsed, names, separator)
            # `nan` and `inf` are numbers to polars, and words here.
            if all(frame[name].is_finite().all() for name in numbers.intersection(names)):
                return frame
        except pl.exceptions.PolarsError:  # a text that is no plain number: read as texts, its row can be told
            pass
        return _table(pl, rows, text, names, separator)


def _table(
    polars: Any, rows: bytes, schema: "dict[str, pl.DataType]", names: list[str], separator: str
) -> "pl.DataFrame":
    frame: pl.DataFrame = polars.read_csv(
        rows, has_header=False, schema=schema, separator=separator, infer_schema=False, raise_if_empty=False
    )
    frame.columns = names
    return frame


def write(warm: Warm, answers: Array) -> bytes:
    """The answers with a header; an empty field for what is not known, and no text that a spreadsheet would compute."""
    return formulas.kept(answers_frame(warm.signature, answers)).write_csv().encode()
