"""Detects the format of an uploaded file, and how to read it, where the options do not say."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from service.workflow.data.formats import ARROW_FILE, ARROW_STREAM, CSV, EXCEL, JSON, JSON_LINES, NPY, NPZ, PARQUET
from service.workflow.data.formats.compression import compression_of, decompress, is_excel
from service.workflow.data.formats.csv_header import COMMENT, lacks_name_of_rows
from service.workflow.data.formats.excel import sheet_as_csv
from service.workflow.data.formats.text import BOM_BYTES, UTF8, as_utf8, check_encoding, find_encoding
from service.workflow.data.reading import Reading, ReadingOptions
from service.workflow.errors import InvalidData
from service.workflow.spec_base import shown

MEDIA_TYPES = {
    **{each: each for each in (CSV, EXCEL, JSON, JSON_LINES, PARQUET, ARROW_FILE, ARROW_STREAM, NPZ, NPY)},
    **dict.fromkeys(("application/csv", "text/x-csv", "application/vnd.ms-excel"), CSV),
    **dict.fromkeys(("text/tab-separated-values", "text/tsv"), CSV),
    **dict.fromkeys(("application/ndjson", "application/jsonl", "application/jsonlines"), JSON_LINES),
    **dict.fromkeys(("application/x-jsonlines", "text/jsonl"), JSON_LINES),
    **dict.fromkeys(("application/x-json-lines", "application/json-lines", "text/x-ndjson"), JSON_LINES),
    **dict.fromkeys(("application/parquet", "application/x-parquet"), PARQUET),
    # Unspecific ones: the content decides.
    **dict.fromkeys(("", "text/plain", "application/octet-stream", "binary/octet-stream"), ""),
    **dict.fromkeys(("application/gzip", "application/x-gzip", "application/zip", "application/x-zip-compressed"), ""),
}
SUFFIXES = {
    **dict.fromkeys((".csv", ".tsv", ".tab", ".txt", ".dat"), CSV),
    **dict.fromkeys((".jsonl", ".ndjson"), JSON_LINES),
    ".json": JSON,
    ".xlsx": EXCEL,
    ".parquet": PARQUET,
    ".pq": PARQUET,
    **dict.fromkeys((".arrow", ".feather", ".ipc"), ARROW_FILE),
    ".arrows": ARROW_STREAM,
    ".npz": NPZ,
    ".npy": NPY,
}
SEPARATORS = (",", ";", "\t", "|")
SAMPLE_BYTES = 2**18
SAMPLE_LINES = 200
UNSUPPORTED = {
    b"%PDF": "a PDF file",
    **dict.fromkeys((b"\x89PNG", b"\xff\xd8\xff", b"GIF8"), "a picture"),
    b"SQLite format 3": "a database",
    b"<?xml": "XML",
    **dict.fromkeys((b"<!doctype", b"<html"), "a page in HTML"),
}
SUPPORTED = "CSV, JSON, Parquet, Arrow and Excel are"
OLD_EXCEL = b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True)
class SniffedFile:
    """The format of a file, how it is read, and notes for the user."""

    media_type: str
    reading: Reading
    notes: list[str]


def sniff(path: Path, media_type: str, options: ReadingOptions, scratch: Path, most_bytes: int) -> SniffedFile:
    """The format of an uploaded file with this Content-Type, and how it is read, without the types of its columns.

    Raises:
        InvalidData: the format is not supported, or the options do not fit it.
    """
    notes: list[str] = []
    kind = MEDIA_TYPES[media_type]
    compression = compression_of(path) if kind != EXCEL else None
    if compression is not None:
        path, name = decompress(path, compression, scratch, most_bytes)
        kind = SUFFIXES.get(PurePath(name).suffix.lower(), "") if name else kind
    kind = _media_type(path, kind)
    _check_options(options, kind)
    sheet, encoding, separator = None, UTF8, ""
    if kind == EXCEL:
        path, sheet = sheet_as_csv(path, options.sheet, scratch, most_bytes)
        separator = ","
    elif kind in (CSV, JSON, JSON_LINES):
        encoding = options.encoding or find_encoding(path)
        if options.encoding is not None:
            check_encoding(path, encoding)
        elif encoding not in (UTF8, "utf-16", "utf-16-le", "utf-16-be"):
            notes.append(f"the file is not UTF-8 and was read as {encoding}; `encoding` says otherwise")
        path = as_utf8(path, encoding, scratch)
    reading = Reading(compression=compression, encoding=encoding, sheet=sheet, date_formats=options.date_formats)
    if kind not in (CSV, EXCEL):
        return SniffedFile(kind, reading, notes)
    lines = _first_lines(path, options.skip_lines or 0)
    separator = options.separator or separator or _separator(lines, options.decimal)
    decimal = options.decimal or _decimal(lines, separator)
    about = {"separator": separator, "decimal": decimal, "skip_lines": options.skip_lines or 0}
    if options.skip_lines is None:
        _check_title(lines, separator)
    return SniffedFile(kind, reading.model_copy(update=about), notes)


def _media_type(path: Path, declared: str) -> str:
    """The media type of a file: `declared`, unless that is empty or the first bytes prove another."""
    with path.open("rb") as file:
        start = file.read(512)
    if start.startswith(b"PAR1"):
        return PARQUET
    if start.startswith(b"ARROW1"):
        return ARROW_FILE
    if start.startswith(OLD_EXCEL):
        raise InvalidData("this is a workbook in the format of Excel 97 to 2003; save it as .xlsx or CSV")
    for mark, what in UNSUPPORTED.items():
        if start.removeprefix(BOM_BYTES).lstrip().lower().startswith(mark.lower()):
            raise InvalidData(f"this is {what}, and no table that is read here: {SUPPORTED}")
    if is_excel(path):
        return EXCEL
    if declared == EXCEL:
        raise InvalidData("this is no Excel workbook (.xlsx)")
    if declared in (PARQUET, ARROW_FILE, ARROW_STREAM):
        return declared
    if start.startswith(b"\xff\xff\xff\xff"):
        return ARROW_STREAM
    text = start.removeprefix(BOM_BYTES).lstrip()
    if declared not in (JSON, JSON_LINES) and (declared or text[:1] not in (b"{", b"[")):
        return CSV
    if text[:1] == b"[":
        return JSON_LINES if declared == JSON_LINES else JSON
    return JSON_LINES if declared != JSON or _has_lines(path) else JSON


def _has_lines(path: Path) -> bool:
    """Whether a document has an object in its first line, and ends there or has another in the next."""
    with path.open("rb") as file:
        first = file.readline(SAMPLE_BYTES).strip()
        return first.endswith(b"}") and file.readline(2).strip() in (b"", b"{")


_TEXT_ONLY = ("separator", "decimal", "skip_lines")


def _check_options(options: ReadingOptions, kind: str) -> None:
    for name in _TEXT_ONLY:
        if kind not in (CSV, EXCEL) and getattr(options, name) is not None:
            raise InvalidData(f"`{name}` is said, and {kind} has none")
    if options.sheet is not None and kind != EXCEL:
        raise InvalidData("`sheet` is said, and the file is no Excel workbook")
    if options.encoding is not None and kind not in (CSV, JSON, JSON_LINES):
        raise InvalidData(f"`encoding` is said, and {kind} is no text")


def _first_lines(path: Path, skipped: int) -> list[str]:
    with path.open("rb") as file:
        for _ in range(skipped):
            file.readline()
        text = file.read(SAMPLE_BYTES).decode(UTF8, "ignore").removeprefix("\ufeff")
    if "\0" in text:
        raise InvalidData(f"this is no text and no other table that is read here: {SUPPORTED}")
    # Not `splitlines`, which also splits at U+2028.
    whole = [line.rstrip("\r\n") for line in io.StringIO(text, newline="")]
    lines = whole[:-1] if len(text) >= SAMPLE_BYTES - 4 and len(whole) > 1 else whole
    return lines[:SAMPLE_LINES]


def _separator(lines: Sequence[str], decimal: str | None) -> str:
    """The separator by which most lines, including the first, have the same number of cells, at least two."""
    first = next((line for line in lines if line.strip()), "")
    if (named := re.fullmatch(r"sep=(.)\s*", first, re.IGNORECASE)) is not None:
        return named[1]
    content = [line for line in lines if line.strip() and not line.startswith(COMMENT)]
    # Decimal commas below names without a comma: a single column, unless there is another separator.
    fractions = content[1:] and (decimal == "," or all(_WITH_COMMA.match(line.strip()) for line in content[1:]))
    candidates = SEPARATORS[1:] if fractions and "," not in content[0] else SEPARATORS
    separator = ";" if candidates != SEPARATORS else ","
    best = (False, 0.0, 0)
    for candidate in candidates:
        counts = [len(row) for row in _rows(content, candidate)]
        if not counts:
            continue
        cells, rows = max(Counter(counts).items(), key=lambda each: (each[0] > 1, each[1], each[0]))
        score = (counts[0] == cells, rows / len(counts), cells)
        if cells > 1 and score > best:
            best, separator = score, candidate
    return separator


def _rows(lines: Sequence[str], separator: str) -> list[list[str]]:
    try:
        return [row for row in csv.reader(lines, delimiter=separator, skipinitialspace=True) if row]
    except csv.Error:
        return []


_WITH_COMMA = re.compile(r"^[+-]?(?:[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]*),[0-9]+\s*[%€$£]?$")
_THOUSANDS = re.compile(r"^[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+$")
_WITH_POINT = re.compile(r"^[+-]?[0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)?$")


def _decimal(lines: Sequence[str], separator: str) -> str:
    """A comma if more cells have a decimal comma than a decimal point. `1,234` counts only with the separator `;`, which is
    used because of decimal commas."""
    commas = points = 0
    for row in _rows(lines, separator):
        for cell in (each.strip() for each in row):
            if _WITH_COMMA.match(cell) and (separator == ";" or not _THOUSANDS.match(cell)):
                commas += 1
            elif _WITH_POINT.match(cell):
                points += 1
    return "," if commas > points else "."


def _check_title(lines: Sequence[str], separator: str) -> None:
    """Raises InvalidData for lines above the names of the columns: they have fewer cells than the lines below, or only one
    that is not blank."""
    blank = separator + " \t"
    content = [(at, line) for at, line in enumerate(lines) if line.strip(blank) and not line.startswith(COMMENT)]
    content = [each for each in content if not each[1].lower().startswith("sep=")]
    if len(content) < 3 or content[0][1].count('"') % 2:
        return
    rows = [_without_empty_end(next(iter(_rows([line], separator)), [])) for _, line in content]
    filled = [sum(1 for cell in row if cell.strip()) for row in rows]
    usual = Counter(map(len, rows[1:])).most_common(1)[0][0]
    if usual < 2:
        return
    alone = filled[0] == 1 and bool(rows[0][0].strip()) and Counter(filled[1:]).most_common(1)[0][0] > 1
    if not alone and (len(rows[0]) >= usual or lacks_name_of_rows(rows[0], rows[1])):
        return
    at = next((at for at, row in enumerate(rows) if len(row) == usual and (filled[at] > 1 or not alone)), 0)
    if at:
        line = content[at][0]
        cells = f"has {len(rows[0])} cells" if len(rows[0]) < usual else "has one cell with something in it"
        what = (
            f"line {content[0][0] + 1} ({shown(content[0][1])}) {cells}, and those from line {line + 1} on have {usual}"
        )
        raise InvalidData(f"{what}: if the names of the columns are in line {line + 1}, set skip_lines={line}")


def _without_empty_end(row: list[str]) -> list[str]:
    while row and not row[-1].strip():
        row = row[:-1]
    return row
