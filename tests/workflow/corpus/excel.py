"""Excel workbooks."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from tests.workflow.corpus import case
from tests.workflow.corpus.case import Case, boolean, category, number
from tests.workflow.corpus.packed import XLSX, Cell, workbook

DAYS = ["2020-01-13T00:00:00", None, "2020-02-05T00:00:00"]
SHEET: list[list[Cell]] = [
    ["size", "colour", "garden", "built", "seen"],
    [1.5, "red", True, date(2020, 1, 13), datetime(2020, 1, 13, 10, 30)],  # noqa: DTZ001 - Excel's times have no zone
    [None, None, None, None, None],
    [2, "blue", False, None, None],
    [-3.25, None, None, date(2020, 2, 5), datetime(2020, 2, 5, 18, 0)],  # noqa: DTZ001 - as above
]
COLUMNS = [
    number("size", [1.5, 2, -3.25]),
    category("colour", ["red", "blue", None]),
    boolean("garden", [True, False, None]),
    case.datetime("built", DAYS),
    case.datetime("seen", ["2020-01-13T10:30:00", None, "2020-02-05T18:00:00"]),
]
OTHER: list[list[Cell]] = [["x"], [1], [2]]


def excel(
    name: str,
    sheets: Mapping[str, Sequence[Sequence[Cell]]],
    columns: Sequence[case.Expected] = (),
    *,
    options: Mapping[str, object] | None = None,
    reading: Mapping[str, object] | None = None,
    error: str | None = None,
    media_type: str = XLSX,
) -> Case:
    return Case(
        f"excel-{name}",
        lambda: workbook(sheets),
        columns,
        media_type=media_type,
        options=options or {},
        reading=reading or {},
        error=error,
    )


def damaged(content: bytes) -> bytes:
    """Remove some bytes in the middle, as a broken download does."""
    return content[:200] + content[260:]


CASES = [
    excel("of-every-type", {"Houses": SHEET}, COLUMNS),
    excel("sent-as-octet-stream", {"Houses": SHEET}, COLUMNS, media_type="application/octet-stream"),
    excel("first-sheet", {"Houses": SHEET, "Other": OTHER}, COLUMNS, reading={"sheet": "Houses"}),
    excel(
        "sheet-option",
        {"Houses": SHEET, "Other": OTHER},
        [number("x", [1, 2])],
        options={"sheet": "Other"},
        reading={"sheet": "Other"},
    ),
    excel(
        "sheet-option-unknown",
        {"Houses": SHEET, "Other": OTHER},
        options={"sheet": "Third"},
        error="Houses.*Other",
    ),
    excel(
        "NA-among-numbers",
        {"S": [["x", "c"], [1.5, "a"], ["NA", "b"], [2.5, "NA"]]},
        [number("x", [1.5, None, 2.5]), category("c", ["a", "b", None])],
        reading={"missing": ["NA"]},
    ),
    excel(
        "numbers-and-dates-in-texts",
        {"S": [["x", "t", "zip"], ["1.5", "13.01.2020", "01067"], ["2.5", "05.02.2020", "80331"]]},
        [
            number("x", [1.5, 2.5]),
            case.datetime("t", ["2020-01-13T00:00:00", "2020-02-05T00:00:00"]),
            category("zip", ["01067", "80331"]),
        ],
        reading={"date_formats": {"t": "%d.%m.%Y"}},
    ),
    excel(
        "booleans-in-words",
        {"S": [["b", "n"], ["yes", 1], ["no", 2], [None, 3]]},
        [boolean("b", [True, False, None], labels=["yes", "no", None]), number("n", [1, 2, 3])],
    ),
    excel(
        "index-without-a-name",
        {"S": [[None, "x"], [0, 1.5], [1, 2.5], [2, 3.5]]},
        [number("column_1", [0, 1, 2], index=True), number("x", [1.5, 2.5, 3.5])],
    ),
    excel(
        "the-same-name-twice-and-spaces",
        {"S": [[" x ", "x", "body mass "], [1, 2, 3], [4, 5, 6]]},
        [number("x", [1, 4]), number("x_2", [2, 5]), number("body mass", [3, 6])],
    ),
    excel("title-lines", {"S": [["Sales of 2020"], [], ["month", "sold"], [1, 20], [2, 30]]}, error="skip_lines=2"),
    excel(
        "title-lines-option",
        {"S": [["Sales of 2020"], [], ["month", "sold"], [1, 20], [2, 30]]},
        [number("month", [1, 2]), number("sold", [20, 30])],
        options={"skip_lines": 2},
    ),
    excel("empty-sheet", {"S": []}, error="(?i)empty|no rows|no table|no columns"),
    Case("invalid-excel", b"PK\3\4 and no more", media_type=XLSX, error="(?i)excel|xlsx"),
    excel(
        "integers-as-labels",
        {"S": [["class", "n"], [3, 1.5], [1, 2.5], [3, 3.5]]},
        [number("class", [3, 1, 3], labels=["3", "1", "3"]), number("n", [1.5, 2.5, 3.5])],
    ),
    excel("sent-as-old-excel", {"Houses": SHEET}, COLUMNS, media_type="application/vnd.ms-excel"),
    Case(
        "excel-of-1997",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504),
        media_type="application/vnd.ms-excel",
        error="(?i)xlsx",
    ),
    Case("excel-with-a-hole", lambda: damaged(workbook({"S": OTHER})), media_type=XLSX, error="(?i)excel|xlsx|zip"),
]
