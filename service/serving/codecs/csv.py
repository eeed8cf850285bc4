"""CSV: a header with the names of the inputs, then one line per row. An empty field is a missing value; blank lines are skipped.
The data set's own form is accepted, too: its separator, decimal comma, encoding, words for missing values and date formats."""

import codecs
import csv
import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from service.serving.codecs import formulas
from service.serving.codecs.columns import from_frame, from_matrix, polars_called
from service.serving.codecs.fast_json import parse_cells
from service.serving.codecs.input_values import largest_number
from service.serving.codecs.instances import check_names, from_texts
from service.serving.codecs.tables import answers_frame
from service.serving.forward import Array
from service.serving.limits import MOST_EMPTY_LINES, MOST_ROWS, MOST_VALUES, check_lines, invalid
from service.serving.warm_models import Warm
from service.workflow.data.formats import csv_errors
from service.workflow.data.formats.csv_header import name_columns
from service.workflow.data.formats.csv_repair import ESCAPE
from service.workflow.data.reading import Reading
from service.workflow.errors import InvalidData
from service.workflow.input_tensors import Tensors
from service.workflow.signature import Signature

if TYPE_CHECKING:
    import polars as pl

SEPARATORS = (",", ";", "\t", "|")
AS_UPLOADED = Reading(separator=",")  # only used for the names of the columns
_SEPARATOR = re.compile(rb"(?i)sep=(.)\r?")
LONGEST_HEADER = 4 * 2**20
LONGEST_FIELD = 2**24
MOST_COLUMNS = 10_000
SPACE = b" \t\r"


def read(body: bytes, signature: Signature, missing_allowed: bool) -> Tensors:
    """Decodes a body; see `codecs.Read`."""
    _check_size(body)
    head, rows, separator = _split_header(_in_utf8(body, signature), signature)
    names = [formulas.unescape_name(name) for name in _names(head, separator)]
    if separator == "," and b'"' not in rows:  # a decimal comma would be quoted
        signature = signature.with_points
    check_names(signature, dict.fromkeys(names))
    escaped = formulas.has_escaped(rows)
    found = None if escaped else _read_plain(rows, names, separator, signature, missing_allowed)
    if found is not None:
        return found
    frame = _frame(_without_blank_lines(rows, len(names), separator), names, signature, separator)
    frame = formulas.unescape(frame) if escaped else frame
    return from_frame(signature, frame, missing_allowed, as_text=True)


def _check_size(body: bytes) -> None:
    """Checks the numbers of lines and cells, including empty ones: each takes many times its byte in memory.

    Raises:
        InvalidInstances: there are too many.
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


def _read_plain(
    rows: bytes, names: list[str], separator: str, signature: Signature, missing_allowed: bool
) -> Tensors | None:
    """Decodes plain rows, whose numbers are JSON numbers; None if there is anything else."""
    numbers = {each.name for each in signature.inputs if each.type == "number" and each.decimal is None}
    wanted = {each.name for each in signature.inputs}
    others = [at for at, name in enumerate(names) if name not in numbers]
    found = parse_cells(rows, len(names), separator.encode(), others)
    if found is None or len(found.numbers) > MOST_ROWS:
        return None
    taken = found.numbers[:, [at for at, name in enumerate(names) if name in numbers]]
    if (np.abs(taken) > largest_number(signature.inputs)).any() or (not missing_allowed and np.isnan(taken).any()):
        return None
    if wanted == numbers:
        return from_matrix(
            signature, found.numbers[:, [names.index(each.name) for each in signature.inputs]], missing_allowed
        )
    columns = {name: found.texts.get(at, found.numbers[:, at]) for at, name in enumerate(names) if name in wanted}
    return from_texts(signature, columns, missing_allowed)


def _in_utf8(body: bytes, signature: Signature) -> bytes:
    """Converts a body in UTF-8, in UTF-16 with a byte order mark, or in the data set's encoding, to UTF-8 with line feeds.

    Raises:
        InvalidInstances: it is in none of these encodings.
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
    of_the_data = f", or {signature.encoding} as in the data," if signature.encoding else ""
    raise invalid(f"line {wrong} is no text in {encodings[-1]}; UTF-8{of_the_data} is expected")


def _split_header(body: bytes, signature: Signature) -> tuple[bytes, bytes, str]:
    """The header line, the rows, and the separator."""
    start, stated = 0, ""
    for _ in range(MOST_EMPTY_LINES + 1):
        end = _end_of_line(body, start)
        line = body[start:end]
        bare = line.strip(SPACE + b",;|")
        if (not bare or bare.startswith(b"#")) and end + 1 < len(body):
            start = end + 1
        elif (named := _SEPARATOR.fullmatch(line)) is not None:
            start, stated = end + 1, named[1].decode()
        else:
            break
    else:
        raise invalid(f"{MOST_EMPTY_LINES} empty lines precede the line with the names")
    while body.count(b'"', start, end) % 2 and end < len(body) and end - start <= LONGEST_HEADER:
        # A quoted name continues up to the next line with a quote.
        quote = body.find(b'"', end)
        end = _end_of_line(body, end + 1 if quote < 0 else quote)
    if end - start > LONGEST_HEADER:
        raise invalid(f"the first line is longer than {LONGEST_HEADER} bytes")
    line = body[start:end]
    return line, body[end + 1 :], stated or _separator(line, signature)


def _end_of_line(body: bytes, start: int) -> int:
    found = body.find(b"\n", start)
    return found if found >= 0 else len(body)


def _separator(line: bytes, signature: Signature) -> str:
    """The separator by which the header names the most inputs; a comma if it names none."""
    wanted = {each.name.encode() for each in signature.inputs}
    best, separator = 0, ","
    for candidate in SEPARATORS:
        found = {cell.strip(SPACE).strip(b'"') for cell in line.split(candidate.encode())}
        if len(found & wanted) > best:
            best, separator = len(found & wanted), candidate
    return separator


def _names(line: bytes, separator: str) -> list[str]:
    """The names in the header, by the same rules as in an upload.

    Raises:
        InvalidInstances: there are none, or the line is invalid.
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


def _without_blank_lines(rows: bytes, width: int, separator: str) -> bytes:
    """Removes blank lines, and checks the number of fields.

    Raises:
        InvalidInstances: a line has more or fewer fields than the header.
    """
    if b'"' not in rows:
        lines = [line for line in rows.split(b"\n") if line.strip(SPACE)]
        check_lines(rows.count(b"\n"), len(lines))
        alike = {line.count(separator.encode()) for line in lines} <= {width - 1}
        if alike and rows.count(b"\r") == rows.count(b"\r\n"):
            return b"\n".join(lines)
    text = rows.decode()
    try:
        return _rewritten(text, width, separator, None)
    except csv.Error as error:
        try:
            return _rewritten(text, width, separator, ESCAPE)
        except csv.Error:
            raise invalid(str(error)) from error


def _rewritten(rows: str, width: int, separator: str, escape: str | None) -> bytes:
    """Rewrites the rows by Python's reader, which is slower, but has the number of each line."""
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
    """The rows as a table: columns of numbers if all values are numbers, else of texts."""
    numbers = {each.name for each in signature.inputs if each.type == "number" and each.decimal is None}
    with polars_called("the CSV cannot be read") as pl:
        text = {f"c{at}": pl.String() for at in range(len(names))}  # by position, as polars may interpret a name
        parsed = text | {f"c{at}": pl.Float64() for at, name in enumerate(names) if name in numbers}
        try:
            frame = _table(pl, rows, parsed, names, separator)
            # `nan` and `inf` are numbers for polars, but texts here.
            if all(frame[name].is_finite().all() for name in numbers.intersection(names)):
                return frame
        except pl.exceptions.PolarsError:  # not a number: texts let the error name its row
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
    """Encodes the answers with a header; empty fields for unknown values, and formulas escaped."""
    return formulas.escape(answers_frame(warm.signature, answers)).write_csv().encode()
