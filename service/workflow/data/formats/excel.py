"""Excel workbooks (.xlsx). A sheet is a table; its cells are converted to CSV."""

import re
import zipfile
from functools import lru_cache
from pathlib import Path

from service.workflow.data.formats.compression import archive_errors, check_size
from service.workflow.data.native_errors import DAMAGED
from service.workflow.errors import InvalidData
from service.workflow.spec_base import shown

MOST_BYTES = 2**30  # of an unpacked workbook, which is read into memory
MOST_CELLS = 50_000_000
CHUNK = 2**20
LONGEST_REFERENCE = 256  # bytes of a cell's reference, which may be split between two chunks
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml")
_CELL = re.compile(rb'<(?:\w+:)?c\s(?:[^>]*?\s)?r="([A-Z]{1,4})([0-9]{1,9})"')


def sheet_as_csv(path: Path, sheet: str | None, scratch: Path, most: int = MOST_BYTES) -> tuple[Path, str]:
    """The cells of a sheet as CSV, the first sheet if none is named; and its name.

    Raises:
        InvalidData: it is no workbook, is too large, or has no such sheet.
    """
    import fastexcel

    check_size(path, min(most, MOST_BYTES))
    with archive_errors("the Excel file"):
        _check_cells(path)
    made = scratch / "sheet.csv"
    try:
        workbook = fastexcel.read_excel(path)
        names = workbook.sheet_names
        if sheet is not None and sheet not in names:
            raise InvalidData(f"there is no sheet {shown(sheet)}; known: {', '.join(map(shown, names))}")
        if not names:
            raise InvalidData("there is no sheet in the Excel file")
        chosen = names[0] if sheet is None else sheet
        cells = workbook.load_sheet(chosen, header_row=None, dtypes="string").to_polars()
    except (fastexcel.FastExcelError, ArithmeticError, ValueError) as error:
        raise InvalidData(f"the Excel workbook cannot be read: {DAMAGED}") from error
    cells.write_csv(made, include_header=False)
    return made, chosen


def _check_cells(path: Path) -> None:
    """Raises InvalidData for a sheet that spans too many cells: its reader fills the whole rectangle."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if _SHEET.fullmatch(member) is None:
                continue
            rows, columns = _extent(archive, member)
            if rows * columns > MOST_CELLS:
                message = f"a sheet spans {rows} rows and {columns} columns; at most {MOST_CELLS} cells are read"
                raise InvalidData(f"{message}: is there something in a cell far out?")


def _extent(archive: zipfile.ZipFile, member: str) -> tuple[int, int]:
    """The last row and the last column with a cell."""
    rows, columns, rest = 0, 0, b""
    with archive.open(member) as sheet:
        while chunk := sheet.read(CHUNK):
            text = rest + chunk
            for letters, number in _CELL.findall(text):
                rows = max(rows, int(number))
                columns = max(columns, _column_number(letters))
            rest = text[-LONGEST_REFERENCE:]
    return rows, columns


@lru_cache(maxsize=20_000)
def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64  # A is 1
    return number
