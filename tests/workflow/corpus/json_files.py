"""JSON: an array of objects, and one object a line."""

import json
from collections.abc import Sequence

from tests.workflow.corpus.case import Case, Expected, boolean, category, datetime, empty, number, unsupported

JSON = "application/json"
LINES = "application/x-ndjson"
DAYS = ["2020-01-13T00:00:00", "2020-02-05T00:00:00"]

RECORDS: list[dict[str, object]] = [
    {"x": 1.5, "c": "red", "b": True, "t": "2020-01-13"},
    {"x": None, "c": None, "b": None, "t": None},
    {"x": 3, "c": "blue", "b": False, "t": "2020-02-05"},
]
COLUMNS = [
    number("x", [1.5, None, 3]),
    category("c", ["red", None, "blue"]),
    boolean("b", [True, None, False]),
    datetime("t", [DAYS[0], None, DAYS[1]]),
]


def lines(records: Sequence[dict[str, object]]) -> bytes:
    return "".join(json.dumps(each) + "\n" for each in records).encode()


def both(
    name: str, records: Sequence[dict[str, object]], columns: Sequence[Expected], *, notes: tuple[str, ...] = ()
) -> list[Case]:
    """The same records as an array and as lines."""
    return [
        Case(f"array-{name}", json.dumps(records).encode(), columns, media_type=JSON, notes=notes),
        Case(f"lines-{name}", lines(records), columns, media_type=LINES, notes=notes),
    ]


CASES = [
    *both("of-every-type", RECORDS, COLUMNS),
    *both(
        "of-dates-in-the-form-of-the-country",
        [{"t": "13.01.2020", "n": 1}, {"t": "05.02.2020", "n": 2}],
        [datetime("t", DAYS), number("n", [1, 2])],
    ),
    *both(
        "of-dates-and-times-mixed",
        [{"t": "2020-01-13"}, {"t": "2020-02-05T10:00:00Z"}, {"t": "2020-02-05 10:00:00"}],
        [datetime("t", [DAYS[0], "2020-02-05T10:00:00", "2020-02-05T10:00:00"])],
    ),
    *both(
        "with-names-missing-and-late",
        [{"x": 1}, {"y": 2.5, "x": 2}, {"y": 3.5}],
        [number("x", [1, 2, None]), number("y", [None, 2.5, 3.5])],
    ),
    *both(
        "with-a-list-and-an-object-beside-good-columns",
        [{"x": 1, "tags": ["a"], "at": {"lat": 1.5}}, {"x": 2, "tags": [], "at": None}],
        [number("x", [1, 2]), unsupported("tags"), unsupported("at")],
        notes=("tags", r"\bat\b"),
    ),
    *both(
        "with-a-column-of-nulls",
        [{"x": 1, "y": None}, {"x": 2, "y": None}],
        [number("x", [1, 2]), empty("y")],
        notes=(r"\by\b",),
    ),
    *both("with-NA-among-numbers", [{"x": 1.5}, {"x": "NA"}, {"x": 2.5}], [number("x", [1.5, None, 2.5])]),
    *both("of-integers-and-fractions", [{"x": 1}, {"x": 2.5}, {"x": 3}], [number("x", [1, 2.5, 3])]),
    *both(
        "of-numbers-and-texts-in-one-column",
        [{"c": 1, "n": 1}, {"c": "a", "n": 2}, {"c": "1", "n": 3}],
        [category("c", ["1", "a", "1"]), number("n", [1, 2, 3])],
    ),
    *both(
        "of-labels-past-2-to-the-53",
        [{"id": 9007199254740992, "n": 1}, {"id": 9007199254740993, "n": 2}],
        [number("id", labels=["9007199254740992", "9007199254740993"]), number("n", [1, 2])],
    ),
    *both(
        "of-zip-codes",
        [{"zip": "01067", "n": 1}, {"zip": "80331", "n": 2}],
        [category("zip", ["01067", "80331"]), number("n", [1, 2])],
    ),
    *both(
        "of-a-column-named-count",
        [{"count": "a", "*": 1}, {"count": "b", "*": 2}],
        [category("count", ["a", "b"]), number("*", [1, 2])],
    ),
    Case("array-with-bom", b"\xef\xbb\xbf" + json.dumps(RECORDS).encode(), COLUMNS, media_type=JSON),
    Case("lines-with-bom", b"\xef\xbb\xbf" + lines(RECORDS), COLUMNS, media_type=LINES),
    Case("lines-with-empty-lines-and-crlf", lines(RECORDS).replace(b"\n", b"\r\n\r\n"), COLUMNS, media_type=LINES),
    Case("array-indented", json.dumps(RECORDS, indent=2).encode(), COLUMNS, media_type=JSON),
    *(
        Case(f"lines-as-{media_type.split('/')[1]}", lines(RECORDS), COLUMNS, media_type=media_type)
        for media_type in (
            "application/jsonl",
            "application/x-jsonlines",
            "application/jsonlines",
            "application/ndjson",
        )
    ),
    Case("lines-as-octet-stream", lines(RECORDS), COLUMNS, media_type="application/octet-stream"),
    Case("array-as-octet-stream", json.dumps(RECORDS).encode(), COLUMNS, media_type="application/octet-stream"),
    Case(
        "lines-of-seconds-option",
        lines([{"t": 1578873600, "n": 1}, {"t": 1580860800, "n": 2}]),
        [datetime("t", DAYS), number("n", [1, 2])],
        media_type=LINES,
        options={"date_formats": {"t": "seconds"}},
    ),
    Case("array-of-numbers", b"[1, 2, 3]", media_type=JSON, error="(?i)object"),
    Case("array-of-lists", b"[[1, 2], [3, 4]]", media_type=JSON, error="(?i)object"),
    Case("empty-array", b"[]", media_type=JSON, error="(?i)no rows|empty|no columns|0 columns"),
    Case("lines-cut-short", b'{"x": 1}\n{"x": \n', media_type=LINES, error="line 2"),
    Case("lines-with-a-list", b'{"x": 1}\n[1]\n', media_type=LINES, error="line 2"),
    *both("with-NA-among-booleans", [{"b": True}, {"b": "NA"}, {"b": False}], [boolean("b", [True, None, False])]),
    *both("of-integers-past-64-bits", [{"x": 2**64}, {"x": -5}], [number("x", [float(2**64), -5])]),
    Case(
        "lines-with-a-number-as-option-missing",
        lines([{"x": 1.5}, {"x": -999}, {"x": 2.5}]),
        [number("x", [1.5, None, 2.5])],
        media_type=LINES,
        options={"missing": ["-999"]},
    ),
    Case("lines-past-float64", b'{"x": 1}\n{"x": 1e400}\n', media_type=LINES, error="line 2|row 2"),
]
