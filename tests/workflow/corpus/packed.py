"""Functions that write gzip and zip files, and Excel workbooks without a library."""

import gzip
import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from xml.sax.saxutils import escape

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
EXCEL_DAY_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - Excel's times have no zone
DAY_SECONDS = 86_400

Cell = str | float | bool | date | datetime | None

_CONTENT_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/xl/workbook.xml"'
    ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/styles.xml"'
    ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/>'
    "{sheets}</Types>"
)
_SHEET_TYPE = (
    '<Override PartName="/xl/worksheets/sheet{at}.xml"'
    ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
)
_RELATIONSHIPS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{all}</Relationships>'
)
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_STYLES = (  # 0: as it is; 1: a date (number format 14); 2: a date and time (22)
    f'<styleSheet xmlns="{_MAIN}"><fonts count="1"><font/></fonts>'
    '<fills count="1"><fill/></fills><borders count="1"><border/></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0"/></cellStyleXfs><cellXfs count="3"><xf numFmtId="0"/>'
    '<xf numFmtId="14" applyNumberFormat="1"/><xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>'
)


def gzipped(content: bytes) -> bytes:
    """The content compressed with gzip."""
    return gzip.compress(content, mtime=0)


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip archive of these files."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def workbook(sheets: Mapping[str, Sequence[Sequence[Cell]]]) -> bytes:
    """An Excel file with these rows on its sheets."""
    parts = list(enumerate(sheets, start=1))
    listed = "".join(f'<sheet name="{escape(name)}" sheetId="{at}" r:id="rId{at}"/>' for at, name in parts)
    related = [
        f'<Relationship Id="rId{at}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{at}.xml"/>' for at, _ in parts
    ]
    related.append(f'<Relationship Id="rId{len(parts) + 1}" Type="{_OFFICE}/styles" Target="styles.xml"/>')
    whole = f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
    files = {
        "[Content_Types].xml": _CONTENT_TYPES.format(sheets="".join(_SHEET_TYPE.format(at=at) for at, _ in parts)),
        "_rels/.rels": _RELATIONSHIPS.format(all=whole),
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": _RELATIONSHIPS.format(all="".join(related)),
        "xl/styles.xml": _STYLES,
    }
    files |= {f"xl/worksheets/sheet{at}.xml": _sheet(sheets[name]) for at, name in parts}
    return zipped({name: f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode() for name, text in files.items()})


def _sheet(rows: Sequence[Sequence[Cell]]) -> str:
    made = "".join(
        f'<row r="{at}">{"".join(_cell(value, f"{chr(65 + place)}{at}") for place, value in enumerate(row))}</row>'
        for at, row in enumerate(rows, start=1)
    )
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{made}</sheetData></worksheet>'


def _cell(value: Cell, where: str) -> str:
    match value:
        case None:
            return ""
        case bool():
            return f'<c r="{where}" t="b"><v>{int(value)}</v></c>'
        case str():
            return f'<c r="{where}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
        case datetime():
            days = (value - EXCEL_DAY_ZERO).total_seconds() / DAY_SECONDS
            return f'<c r="{where}" s="2"><v>{days!r}</v></c>'
        case date():
            days = (datetime(value.year, value.month, value.day) - EXCEL_DAY_ZERO).days  # noqa: DTZ001 - as above
            return f'<c r="{where}" s="1"><v>{days}</v></c>'
        case _:
            return f'<c r="{where}"><v>{value!r}</v></c>'
