"""Every format gives the same table; invalid files are refused with the line or column."""

import csv
import json
from datetime import date, time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.workflow.data.formats.csv import ROWS_CHUNK
from service.workflow.data.read import read
from service.workflow.data.rows import RowsData
from service.workflow.data.schema import Schema
from service.workflow.data.survey import survey
from service.workflow.data.table import RequestedColumn, Table, Texts, plain
from service.workflow.errors import InvalidData, InvalidSpec
from service.workflow.resolve import resolve
from service.workflow.spec import parse
from tests.examples import examples
from tests.workflow.learning import no_dataset

RECORDS: list[dict[str, Any]] = [
    {"n": 1.5, "i": 3, "c": "red", "b": True, "t": "2024-01-01T10:00:00"},
    {"n": None, "i": 4, "c": "blue, sky", "b": False, "t": "2024-01-02T00:00:00"},
    {"n": -2.25, "i": 5, "c": None, "b": None, "t": None},
    {"n": 1e30, "i": -6, "c": 'a "quoted"\nword', "b": True, "t": "1999-12-31T23:59:59"},
]
WANTED = {
    "n": RequestedColumn("number"),
    "i": RequestedColumn("number", exact=True),
    "c": RequestedColumn("category"),
    "b": RequestedColumn("boolean"),
    "t": RequestedColumn("datetime"),
}
AS_BEFORE = Schema(rows=0, columns=[])  # of a data set uploaded before readings were stored
NDJSON = "application/x-ndjson"
PARQUET = "application/vnd.apache.parquet"
ARROW = "application/vnd.apache.arrow.file"
STREAM = "application/vnd.apache.arrow.stream"


def write(path: Path, media_type: str, records: list[dict[str, Any]]) -> None:
    frame = pl.DataFrame(records)
    typed = frame.with_columns(pl.col("t").str.to_datetime(time_zone="UTC")) if "t" in frame.columns else frame
    match media_type:
        case "text/csv":
            frame.write_csv(path)
        case "application/x-ndjson":
            path.write_text("".join(json.dumps(each) + "\n" for each in records))
        case "application/vnd.apache.parquet":
            typed.write_parquet(path)
        case "application/vnd.apache.arrow.file":
            typed.write_ipc(path)
        case _:
            typed.write_ipc_stream(path)


def values(made: Table) -> dict[str, list[Any]]:
    shown: dict[str, list[Any]] = {}
    for name, each in made.columns.items():
        column = plain(each)
        if isinstance(column, Texts):
            shown[name] = [None if code < 0 else column.values[code] for code in column.codes]
        else:
            shown[name] = [None if np.isnan(value) else float(value) for value in column]
    return shown


@pytest.mark.parametrize("media_type", ["text/csv", NDJSON, PARQUET, ARROW, STREAM])
def test_every_format_gives_the_same_table(tmp_path: Path, media_type: str) -> None:
    path = tmp_path / "data"
    write(path, media_type, RECORDS)
    found = survey(path, media_type)
    schema = found.schema
    assert schema.rows == 4
    assert len(found.head) == 4
    assert [column.missing for column in schema.columns] == [1, 0, 1, 1, 1]
    assert schema.columns[1].values == [-6, 3, 4, 5]
    from_rows = RowsData(records=RECORDS, target="i").load(lambda _: WANTED, no_dataset, tmp_path).table
    assert values(read(path, media_type, schema, WANTED, tmp_path)) == values(from_rows)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "x": st.none() | st.floats(-1e6, 1e6, width=32),
                "w": st.none() | st.text("ab,\"'\n é", min_size=1, max_size=6),
            }
        ),
        min_size=1,
        max_size=30,
    )
)
@settings(deadline=None, max_examples=examples(30))
def test_csv_round_trip(tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]]) -> None:
    path = tmp_path_factory.mktemp("csv") / "data"
    pl.DataFrame(records, schema={"x": pl.Float32, "w": pl.String}).write_csv(path)
    schema = AS_BEFORE.model_copy(update={"rows": len(records)})
    wanted = {"x": RequestedColumn("number"), "w": RequestedColumn("category")}
    made = values(read(path, "text/csv", schema, wanted, path.parent))
    assert made["x"] == [each["x"] if each["x"] is None else np.float32(each["x"]) for each in records]
    assert made["w"] == [each["w"] for each in records]


@given(
    st.lists(
        st.tuples(
            st.none() | st.floats(-1e6, 1e6, width=32), st.sampled_from(["a", 'b "c"', "d, e", "f\ng", "é", None])
        ),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "windows-1252"]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
@settings(deadline=None, max_examples=examples(60))
def test_csv_is_read_with_any_separator_and_encoding(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], separator: str, encoding: str, end: str, quoted: bool
) -> None:
    path = tmp_path_factory.mktemp("csv") / "data"
    with path.open("w", encoding=encoding, newline="") as file:
        quoting: Any = csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
        writer = csv.writer(file, delimiter=separator, lineterminator=end, quoting=quoting)
        writer.writerows([("number", "w"), *((x, word) for x, word in [*rows, (1.5, "a"), (2.5, "d, e")])])
    found = survey(path, "text/csv")
    kept = [each for each in rows if each != (None, None)]  # blank lines are skipped
    assert found.schema.rows == len(kept) + 2
    assert found.schema.names == ["number", "w"]
    assert [each.type for each in found.schema.columns] == ["number", "category"]
    made = values(
        read(
            path,
            "text/csv",
            found.schema,
            {"number": RequestedColumn("number"), "w": RequestedColumn("category")},
            path.parent,
        )
    )
    assert made["number"][:-2] == [x if x is None else np.float32(x) for x, _ in kept]
    assert made["w"][:-2] == [word for _, word in kept]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"a,b\n", "no rows"),
        (b"a,b\n1,2\n3\n", "line 3 has 1 cells"),
        (b"a,b\n1,2\n3,4,5\n", "line 3 has 3 cells"),
        (b'a,b\n1,"2,3"\n4\n', "line 3 has 1 cells"),
        (b"a,b\n1,1e400\n2,3\n", "'b', row 1"),
        (b",".join(b"c%d" % i for i in range(10_001)) + b"\n", "10001 columns"),
    ],
)
def test_csv_files_that_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "data"
    path.write_bytes(content)
    with pytest.raises(InvalidData, match=message):
        survey(path, "text/csv")


def test_a_name_may_contain_unicode_line_separators(tmp_path: Path) -> None:
    names = ["a\u2028b", "c\x85d", "e\x0cf"]
    (path := tmp_path / "table.csv").write_text(",".join(names) + "\n1,2,3\n4,5,6\n", encoding="utf-8")
    assert survey(path, "text/csv").schema.names == names


@pytest.mark.parametrize(
    ("media_type", "content", "message"),
    [
        (NDJSON, b'{"a": 1}\n[1]\n', "line 2 is not an object"),
        (NDJSON, b'{"a": 1}\n{"a": NaN}\n', "line 2 is not JSON"),
        (PARQUET, b"PAR1 no it is not", "cannot be read"),
        (ARROW, b"ARROW1 no it is not", "cannot be read"),
        (STREAM, b"no it is not", "cannot be read"),
    ],
)
def test_other_files_that_are_refused(tmp_path: Path, media_type: str, content: bytes, message: str) -> None:
    path = tmp_path / "data"
    path.write_bytes(content)
    with pytest.raises(InvalidData, match=message):
        survey(path, media_type)


def test_a_cell_that_is_not_of_the_wanted_type_is_named(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_text("a,b\n1,x\n2,y\n")
    schema = survey(path, "text/csv").schema
    for kind in ("number", "boolean", "datetime"):
        with pytest.raises(InvalidData, match="'b', row 1: 'x'"):
            read(path, "text/csv", schema, {"b": RequestedColumn(kind)}, tmp_path)


def test_data_sets_of_earlier_versions_are_read_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_text('n,c,b,t\n1.5, NA ,true,13.01.2020\n,"",false,\n')
    wanted = {
        "n": RequestedColumn("number"),
        "c": RequestedColumn("category"),
        "b": RequestedColumn("boolean"),
        "t": RequestedColumn("datetime"),
    }
    kinds = zip("ncbt", ("number", "category", "boolean", "datetime"), strict=True)
    schema = Schema.model_validate({"rows": 2, "columns": [{"name": name, "type": kind} for name, kind in kinds]})
    made = values(read(path, "text/csv", schema, wanted, tmp_path))
    assert made == {"n": [1.5, None], "c": [" NA ", ""], "b": [1.0, 0.0], "t": [1578873600.0, None]}


def test_large_integers_and_means_are_exact(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_text("y\n" + "".join(f"{2**40 + i}\n" for i in range(1000)))
    schema = survey(path, "text/csv").schema
    found = schema.columns[0].statistics
    assert found["mean"] == pytest.approx(2**40 + 499.5, rel=1e-15)
    assert found["std"] == pytest.approx(np.std(np.arange(1000)), rel=1e-9)
    table = read(path, "text/csv", schema, {"y": RequestedColumn("number", exact=True)}, tmp_path)
    assert values(table)["y"][-1] == 2**40 + 999


def test_a_large_csv_file_is_split_between_rows(tmp_path: Path) -> None:
    path, count = tmp_path / "data", 240_000
    text = ['"a, ""quoted""\nword of several lines\n\n' + "x" * 600 + '"', "plain", "", '"\n"']
    with path.open("w") as file:
        file.write("i,w\r\n")
        file.writelines(f"{i},{text[i % len(text)]}\n" for i in range(count))
    assert path.stat().st_size > 2 * ROWS_CHUNK
    schema = AS_BEFORE.model_copy(update={"rows": count})
    wanted = {"i": RequestedColumn("number", exact=True), "w": RequestedColumn("category")}
    table = values(read(path, "text/csv", schema, wanted, tmp_path))
    assert table["i"] == list(range(count))
    assert table["w"][-4:] == ['a, "quoted"\nword of several lines\n\n' + "x" * 600, "plain", None, "\n"]


def test_integers_above_2_to_the_53_stay_distinct_labels(tmp_path: Path) -> None:
    path = tmp_path / "data"
    labels = [2**53, 2**53 + 1, 2**53 + 2]
    for media_type, content in (
        ("text/csv", "y\n" + "".join(f"{labels[i % 3]}\n" for i in range(9))),
        (NDJSON, "".join(json.dumps({"y": labels[i % 3]}) + "\n" for i in range(9))),
    ):
        path.write_text(content)
        (column,) = survey(path, media_type).schema.columns
        assert (column.type, column.labels, column.label_counts) == ("number", labels, [3, 3, 3])
    pl.DataFrame({"y": [labels[i % 3] for i in range(9)]}).write_parquet(path)
    assert survey(path, PARQUET).schema.columns[0].labels == labels
    path.write_text("y\n" + "".join(f"{2**70 + i % 2}\n" for i in range(9)))  # more than readers of JSON accept
    assert survey(path, "text/csv").schema.columns[0].labels == [str(2**70), str(2**70 + 1)]


@pytest.mark.parametrize(
    ("steps", "dtype"), [(2**31 - 1, pl.Date), (2**62, pl.Datetime("ms")), (-(2**62), pl.Datetime("us"))]
)
def test_a_date_outside_the_calendar_is_named_by_column_and_row(tmp_path: Path, steps: int, dtype: Any) -> None:
    path = tmp_path / "data"
    dates = pl.Series("day", [0, steps], pl.Int32 if dtype == pl.Date else pl.Int64).cast(dtype)
    pl.DataFrame([dates]).write_ipc_stream(path)
    with pytest.raises(InvalidData, match=r"'day', row 2: .* the years 1 to 9999"):
        survey(path, STREAM)


def test_a_column_of_numbers_with_a_typo_is_not_taken_for_an_index(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_text("x\n" + "".join(f"{'12x' if i == 7 else 2.5 * i}\n" for i in range(40)))
    found = survey(path, "text/csv")
    assert (found.schema.columns[0].type, found.schema.columns[0].counts_rows) == ("category", False)
    assert any("row 8 holds '12x'" in note for note in found.notes)


@pytest.mark.parametrize(
    ("column", "kind", "message"),
    [
        ("day", "number", "is a datetime"),
        ("day", "boolean", "is a datetime"),
        ("at", "number", "times of day"),
        ("at", "datetime", "times of day"),
        ("flag", "datetime", "is a boolean"),
        ("n", "boolean", "neither 0 nor 1"),
        ("n", "datetime", "date_formats"),
    ],
)
def test_a_type_that_a_typed_column_cannot_have_is_refused_before_a_training(
    tmp_path: Path, column: str, kind: str, message: str
) -> None:
    path = tmp_path / "data"
    days = [date(2020, 1, 1 + i) for i in range(20)]
    numbers = [1.5 * i for i in range(20)]
    flags = [i % 2 == 0 for i in range(20)]
    times = [time(1, i) for i in range(20)]
    pl.DataFrame({"day": days, "at": times, "flag": flags, "n": numbers, "y": numbers}).write_parquet(path)
    schema = survey(path, PARQUET).schema
    data = {"kind": "dataset", "dataset": "d", "version": 1, "target": "y", "features": {column: {"type": kind}}}
    with pytest.raises(InvalidSpec, match=message) as refusal:
        resolve(parse({"model_name": "m", "data": data}), schema)
    assert refusal.value.faults[0].pointer == f"/data/features/{column}/type"
    taken = data | {"features": {column: {"type": "category"}}}
    assert resolve(parse({"model_name": "m", "data": taken}), schema).signature.inputs[0].type == "category"
