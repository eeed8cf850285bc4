"""Parquet and Arrow files with every type of their writers."""

import io
from collections.abc import Callable, Sequence
from datetime import UTC, date, time, timedelta
from datetime import datetime as moment
from decimal import Decimal
from typing import TYPE_CHECKING

from tests.workflow.corpus.case import Case, Expected, boolean, category, datetime, empty, number, unsupported

if TYPE_CHECKING:
    import polars as pl

PARQUET = "application/vnd.apache.parquet"
ARROW = "application/vnd.apache.arrow.file"
STREAM = "application/vnd.apache.arrow.stream"

Made = Callable[[], "pl.DataFrame"]


def parquet(frame: "pl.DataFrame") -> bytes:
    target = io.BytesIO()
    frame.write_parquet(target)
    return target.getvalue()


def arrow(frame: "pl.DataFrame") -> bytes:
    target = io.BytesIO()
    frame.write_ipc(target)
    return target.getvalue()


def stream(frame: "pl.DataFrame") -> bytes:
    target = io.BytesIO()
    frame.write_ipc_stream(target)
    return target.getvalue()


def in_all_formats(name: str, made: Made, columns: Sequence[Expected], *, notes: tuple[str, ...] = ()) -> list[Case]:
    """The same table as Parquet, as an Arrow file and as an Arrow stream."""
    return [
        Case(f"parquet-{name}", lambda: parquet(made()), columns, media_type=PARQUET, notes=notes),
        Case(f"arrow-{name}", lambda: arrow(made()), columns, media_type=ARROW, notes=notes),
        Case(f"stream-{name}", lambda: stream(made()), columns, media_type=STREAM, notes=notes),
    ]


def numbers() -> "pl.DataFrame":
    import polars as pl

    return pl.DataFrame(
        {
            "decimal": [Decimal("1.50"), None, Decimal("-2.25")],
            "duration": [timedelta(seconds=90), None, timedelta(milliseconds=-500)],
            "unsigned": pl.Series([2**64 - 2048, 1, None], dtype=pl.UInt64),
            "wide": pl.Series([2**70, None, -(2**70)], dtype=pl.Int128),
            "small": pl.Series([1, -2, 3], dtype=pl.Int8),
            "float32": pl.Series([0.5, None, -1.25], dtype=pl.Float32),
            "nan": [1.5, float("nan"), 2.5],
        }
    )


def times() -> "pl.DataFrame":
    import polars as pl

    winter, summer = moment(2020, 1, 13, 10, 30, tzinfo=UTC), moment(2020, 7, 13, 10, 30, tzinfo=UTC)
    plain = pl.Series([winter, None, summer]).dt.replace_time_zone(None)
    return pl.DataFrame(
        {
            "date": [date(2020, 1, 13), None, date(2020, 2, 5)],
            "plain": plain,
            "vienna": pl.Series([winter, None, summer]).dt.convert_time_zone("Europe/Vienna"),
            "milliseconds": plain.dt.cast_time_unit("ms"),
            "nanoseconds": plain.dt.cast_time_unit("ns"),
            "daytime": [time(10, 30), None, time(23, 59, 59)],
        }
    )


def texts() -> "pl.DataFrame":
    import polars as pl

    words = ["red", None, "blue"]
    return pl.DataFrame(
        {
            "text": words,
            "dictionary": pl.Series(words, dtype=pl.Categorical),
            "enum": pl.Series(words, dtype=pl.Enum(["red", "blue"])),
            "flag": [True, None, False],
        }
    )


def with_good_columns() -> "pl.DataFrame":
    import polars as pl

    return pl.DataFrame(
        {
            "x": [1.5, 2.5],
            "list": [[1, 2], [3]],
            "struct": [{"a": 1}, {"a": 2}],
            "binary": [b"a", b"b"],
            "nothing": pl.Series([None, None], dtype=pl.Null),
            "empty": pl.Series([None, None], dtype=pl.Float64),
        }
    )


def infinite() -> "pl.DataFrame":
    import polars as pl

    return pl.DataFrame({"x": [1.5, float("inf"), float("-inf")], "y": [1, 2, 3]})


def with_index() -> "pl.DataFrame":
    import polars as pl

    return pl.DataFrame({"x": [1.5, 2.5, 3.5], "c": ["a", "b", "a"], "__index_level_0__": [0, 2, 5]})


def as_labels() -> "pl.DataFrame":
    import polars as pl

    return pl.DataFrame(
        {
            "class": [1.0, 2.0, None],
            "flag": [True, False, None],
            "large": pl.Series([9007199254740992, 9007199254740993, None], dtype=pl.Int64),
        }
    )


def coded() -> "pl.DataFrame":
    import polars as pl

    return pl.DataFrame({"code": [3, 1, 3], "flag": [0, 1, None], "at": [1578873600, 1580860800, -999]})


def beyond_the_calendar() -> "pl.DataFrame":
    import polars as pl

    days = pl.Series([18274, 4_000_000], dtype=pl.Int32)  # since 1970; the second is in the year 12921
    return pl.DataFrame({"t": days.cast(pl.Date), "x": [1, 2]})


def odd_names() -> "pl.DataFrame":
    import polars as pl

    return pl.DataFrame({"count": ["a", "b"], "*": [1, 2], "^a$": [3, 4], 'say "hi"': [5, 6]})


PLAIN_TIMES = ["2020-01-13T10:30:00", None, "2020-07-13T10:30:00"]

CASES = [
    *in_all_formats(
        "numbers",
        numbers,
        [
            number("decimal", [1.5, None, -2.25]),
            number("duration", [90, None, -0.5]),
            number("unsigned", [float(2**64 - 2048), 1, None]),
            number("wide", [float(2**70), None, -float(2**70)]),
            number("small", [1, -2, 3]),
            number("float32", [0.5, None, -1.25]),
            number("nan", [1.5, None, 2.5]),
        ],
    ),
    *in_all_formats(
        "times",
        times,
        [
            datetime("date", ["2020-01-13T00:00:00", None, "2020-02-05T00:00:00"]),
            *(datetime(name, PLAIN_TIMES) for name in ("plain", "vienna", "milliseconds", "nanoseconds")),
            category("daytime", ["10:30:00", None, "23:59:59"]),
        ],
    ),
    *in_all_formats(
        "texts",
        texts,
        [
            *(category(name, ["red", None, "blue"]) for name in ("text", "dictionary", "enum")),
            boolean("flag", [True, None, False], labels=["true", None, "false"]),
        ],
    ),
    *in_all_formats(
        "nested-and-empty-beside-good-columns",
        with_good_columns,
        [
            number("x", [1.5, 2.5]),
            *(unsupported(name) for name in ("list", "struct", "binary")),
            empty("nothing"),
            empty("empty"),
        ],
        notes=("list", "struct", "binary", "nothing", "empty"),
    ),
    *in_all_formats("infinite", infinite, [number("x", [1.5, None, None]), number("y", [1, 2, 3])], notes=("(?i)inf",)),
    *in_all_formats(
        "pandas-index",
        with_index,
        [
            number("x", [1.5, 2.5, 3.5]),
            category("c", ["a", "b", "a"]),
            number("__index_level_0__", [0, 2, 5], index=True),
        ],
        notes=("__index_level_0__",),
    ),
    *in_all_formats(
        "labels",
        as_labels,
        [
            number("class", [1, 2, None], labels=["1", "2", None]),
            boolean("flag", [True, False, None], labels=["true", "false", None]),
            number("large", labels=["9007199254740992", "9007199254740993", None]),
        ],
    ),
    *in_all_formats(
        "odd-names",
        odd_names,
        [category("count", ["a", "b"]), number("*", [1, 2]), number("^a$", [3, 4]), number('say "hi"', [5, 6])],
    ),
    Case(
        "parquet-as-octet-stream",
        lambda: parquet(texts()),
        [*(category(name) for name in ("text", "dictionary", "enum")), boolean("flag")],
        media_type="application/octet-stream",
    ),
    Case(
        "arrow-as-octet-stream",
        lambda: arrow(texts()),
        [*(category(name) for name in ("text", "dictionary", "enum")), boolean("flag")],
        media_type="application/octet-stream",
    ),
    Case("parquet-cut-short", lambda: parquet(texts())[:-8], media_type=PARQUET, error="(?i)parquet"),
    Case(
        "parquet-types-option",
        lambda: parquet(coded()),
        [
            category("code", ["3", "1", "3"]),
            boolean("flag", [False, True, None]),
            datetime("at", ["2020-01-13T00:00:00", "2020-02-05T00:00:00", None]),
        ],
        media_type=PARQUET,
        options={
            "types": {"code": "category", "flag": "boolean"},
            "date_formats": {"at": "seconds"},
            "missing": ["-999"],
        },
    ),
    Case(
        "parquet-number-as-option-missing",
        lambda: parquet(coded()),
        [number("code", [3, 1, 3]), number("flag", [0, 1, None]), number("at", [1578873600, 1580860800, None])],
        media_type=PARQUET,
        options={"missing": ["-999"]},
    ),
    Case("arrow-cut-short", lambda: arrow(texts())[:-8], media_type=ARROW, error="(?i)arrow"),
    Case("arrow-of-eight-bytes", b"ARROW1\0\0", media_type=ARROW, error="(?i)arrow"),
    Case("stream-cut-short", lambda: stream(texts())[:30], media_type=STREAM, error="(?i)arrow"),
    Case("stream-of-one-byte", b"\xff", media_type=STREAM, error="(?i)arrow"),
    Case(
        "parquet-date-past-the-year-9999",
        lambda: parquet(beyond_the_calendar()),
        media_type=PARQUET,
        error=r"\bt\b.*row 2",
    ),
]
