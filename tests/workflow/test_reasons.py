"""Errors of files and bodies name the place and what is expected, without messages of libraries."""

import gzip
import io
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from service.serving.codecs import arrow, csv, json_lines, npy, parquet
from service.workflow.data.formats import ARROW_FILE, ARROW_STREAM, CSV, EXCEL, JSON, JSON_LINES, PARQUET
from service.workflow.data.read import read
from service.workflow.data.reading import ReadingOptions
from service.workflow.data.survey import survey
from service.workflow.data.table import RequestedColumn
from service.workflow.errors import InvalidData, InvalidInstances
from service.workflow.signature import Signature
from tests.workflow.corpus.packed import Cell, workbook, zipped

INSIDE = re.compile(
    r"polars|pyarrow|replace_strict|\w+Error|panic|dtype|traceback|0x[0-9a-f]|/tmp|zlib|zipfile|calamine|pydantic|orjson"
    r"|thrift|flatbuffer|out.of.spec|utf8|int64|errno|\bpl\.|field limit|universal",
    re.IGNORECASE,
)
ROWS = 40
TABLE = pl.DataFrame(
    {
        "x": [1.5 * i for i in range(ROWS)],
        "c": [f"ü{i % 3}" for i in range(ROWS)],
        "d": [date(2020, 1, 1 + i % 28) for i in range(ROWS)],
    }
)
SIGNATURE = Signature.model_validate(
    {"task": "regression", "inputs": [{"name": "x", "type": "number"}], "outputs": [{"name": "y", "type": "number"}]}
)


def written(how: Callable[[pl.DataFrame, io.BytesIO], object], table: pl.DataFrame = TABLE) -> bytes:
    how(table, file := io.BytesIO())
    return file.getvalue()


def in_csv(table: pl.DataFrame = TABLE) -> bytes:
    return written(pl.DataFrame.write_csv, table)


def as_parquet(table: pl.DataFrame = TABLE) -> bytes:
    return written(pl.DataFrame.write_parquet, table)


def as_stream(table: pl.DataFrame = TABLE) -> bytes:
    return written(lambda each, file: each.write_ipc_stream(file, compat_level=pl.CompatLevel.oldest()), table)


SHEET: list[list[Cell]] = [[float(i), "ü"] for i in range(ROWS)]
WHOLE: dict[str, tuple[str, bytes]] = {
    "csv.gz": (CSV, gzip.compress(in_csv())),
    "csv.zip": (CSV, zipped({"table.csv": in_csv()})),
    "json lines": (JSON_LINES, written(pl.DataFrame.write_ndjson)),
    "json": (JSON, written(pl.DataFrame.write_json)),
    "parquet": (PARQUET, as_parquet()),
    "arrow": (ARROW_FILE, written(lambda each, file: each.write_ipc(file, compat_level=pl.CompatLevel.oldest()))),
    "arrow, packed": (ARROW_FILE, written(lambda each, file: each.write_ipc(file, compression="zstd"))),
    "arrow stream": (ARROW_STREAM, as_stream()),
    "excel": (EXCEL, workbook({"one": [["x", "c"], *SHEET]})),
}
PLACES = [0.1, 0.3, 0.5, 0.7, 0.9]


@pytest.mark.parametrize("damage", ["cut", "flipped"])
@pytest.mark.parametrize("name", WHOLE)
def test_a_damaged_file(tmp_path: Path, name: str, damage: str) -> None:
    media_type, content = WHOLE[name]
    refused = 0
    for share in PLACES:
        at = int(share * len(content))
        wrong = content[:at] if damage == "cut" else content[:at] + bytes(8) + content[at + 8 :]
        (path := tmp_path / "table").write_bytes(wrong)
        try:
            survey(path, media_type)
        except InvalidData as error:
            refused += 1
            assert re.search(r"expected|send|1 to|line \d+|read here: CSV|no Excel workbook", str(error)), error
            assert not INSIDE.search(str(error)), error
    assert refused >= 2


CELLS: list[tuple[str, bytes, dict[str, Any], str]] = [
    (CSV, b"x,y\n1,1\n1e999,2\n", {}, "'x', row 2: '1e999' is beyond what a float64 can hold"),
    (CSV, b"x,y\n1,1\nred,2\n", {"types": {"x": "number"}}, "'x' .* row 2 holds 'red'"),
    (CSV, b"x,y\n1,1\n2,2\n", {"types": {"x": "boolean"}}, "'x', row 2: .* is no boolean; expected true or false"),
    (
        CSV,
        b"d\n2020-01-01\n2020-13-01\n",
        {"date_formats": {"d": "ISO 8601"}},
        "'d', row 2: '2020-13-01' .* expected a ",
    ),
    (CSV, b'x,y\n1,1\n"a"b"c",2\n3,"d\n', {}, "line 3 .* quote at column"),
    (CSV, b'x,y\n1,1\n"' + b"z" * 17_000_000 + b'"\n', {}, "line 3 .*more than 16777216 characters"),
    (JSON_LINES, b'{"x":1}\n{"x":NaN}\n', {}, "line 2 is not JSON: column 6: NaN .* null"),
    (JSON_LINES, b'{"x":1}\n{"x":1e999}\n', {}, "line 2 is not JSON: column 6: .* float64"),
    (JSON_LINES, b'{"x":1}\n{"x":', {}, "line 2 is not JSON: it ends"),
    (JSON_LINES, b"{'x':1}\n", {}, "line 1 is not JSON: column 2: .* double quotes"),
    (JSON, b'[{"x":1,}]', {}, "column 8: nothing follows this comma"),
    (JSON, b'[\n{"x":"a\tb"}]', {}, "line 2, column 8: a control character"),
    (
        ARROW_STREAM,
        as_stream(TABLE.select(pl.lit(2**31 - 1).cast(pl.Int32).cast(pl.Date).alias("d"))),
        {},
        "'d', row 1",
    ),
    (PARQUET, as_parquet(pl.DataFrame({"x": [{"a": 1}]})), {}, "'x' holds objects"),
]


@pytest.mark.parametrize(("media_type", "content", "options", "message"), CELLS)
def test_an_invalid_cell(tmp_path: Path, media_type: str, content: bytes, options: Any, message: str) -> None:
    (path := tmp_path / "table").write_bytes(content)
    with pytest.raises(InvalidData, match=message) as refusal:
        survey(path, media_type, ReadingOptions.model_validate(options))
    assert not INSIDE.search(str(refusal.value))


@pytest.mark.parametrize(
    ("media_type", "whole", "changed", "message"),
    [
        (CSV, b"x,y\n1,1\n2,2\n", b"x,y\n1,1\n2x,2\n", "'x', row 2: '2x' is no number; expected a finite number"),
        (JSON_LINES, b'{"x":1}\n{"x":2}\n', b'{"x":1}\n{"x":"2x"}\n', "'x', row 2: '2x' is no number; expected"),
        (
            PARQUET,
            as_parquet(pl.DataFrame({"x": [1, 2]})),
            as_parquet(pl.DataFrame({"x": ["1", "b"]})),
            "'x', row 2: 'b' is no number; expected",
        ),
    ],
)
def test_a_cell_that_a_training_cannot_use(
    tmp_path: Path, media_type: str, whole: bytes, changed: bytes, message: str
) -> None:
    (path := tmp_path / "table").write_bytes(whole)
    schema = survey(path, media_type).schema
    path.write_bytes(changed)
    with pytest.raises(InvalidData, match=message) as refusal:
        read(path, media_type, schema, {"x": RequestedColumn("number")}, tmp_path)
    assert not INSIDE.search(str(refusal.value))


def test_a_column_whose_pages_are_damaged_is_named(tmp_path: Path) -> None:
    table = pl.DataFrame({"first": range(1000), "second": range(1000, 2000)})
    content = written(lambda each, file: each.write_parquet(file, compression="zstd", statistics=False), table)
    at = content.rindex(b"\x28\xb5\x2f\xfd")  # the start of the last page's frame
    (path := tmp_path / "table").write_bytes(content[:at] + bytes(4) + content[at + 4 :])
    with pytest.raises(InvalidData, match="'second' cannot be read from row 1 on: it is damaged") as refusal:
        survey(path, PARQUET)
    assert not INSIDE.search(str(refusal.value))


X = pl.DataFrame({"x": [1.5, 2.5]})
ARRAY = io.BytesIO()
np.save(ARRAY, np.ones((2, 1), np.float32))
BODIES: dict[str, tuple[Callable[..., Any], bytes]] = {
    "arrow stream": (arrow.read_stream, as_stream(X)),
    "arrow": (arrow.read_file, written(pl.DataFrame.write_ipc, X)),
    "parquet": (parquet.read, as_parquet(X)),
    "npy": (npy.read, ARRAY.getvalue()),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_damaged_body(name: str) -> None:
    reading, content = BODIES[name]
    for share in PLACES:
        at = int(share * len(content))
        for wrong in (content[:at], content[:at] + b"\xff" * 8 + content[at + 8 :]):
            try:
                reading(wrong, SIGNATURE, True)
            except InvalidInstances as error:
                assert not INSIDE.search(str(error)), error


@pytest.mark.parametrize(
    ("reading", "body", "message"),
    [
        (csv.read, b'x\n1\n"a"b"\n', "line 3 cannot be read as CSV: a quote"),
        (csv.read, b"x\n1\nred\n", "/x/1: expected a finite number.* not 'red'"),
        (json_lines.read, b"[1]\n[1,,2]\n", "/1: the line is not valid JSON: column 4: "),
        (json_lines.read, b"[1]\n[Infinity]\n", "/1: .*null"),
        (parquet.read, as_parquet(pl.DataFrame({"x": [b"a"]})), "/x: holds bytes; a column of numbers is expected"),
        (arrow.read_stream, as_stream(pl.DataFrame({"x": ["a", "b"]})), "/x/0: expected a "),
    ],
)
def test_a_body_with_an_invalid_cell(reading: Callable[..., Any], body: bytes, message: str) -> None:
    with pytest.raises(InvalidInstances, match=message) as refusal:
        reading(body, SIGNATURE, True)
    assert not INSIDE.search(str(refusal.value))
