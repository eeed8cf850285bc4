"""Instances and predictions in every format: the same tensor as from JSON, the same values as in memory."""

import io
import math
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
import orjson
import polars as pl
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.serving.codecs import instances
from service.serving.codecs.json import values
from service.serving.warm_models import Warm
from service.workflow.errors import InvalidInstances
from service.workflow.model import Model
from service.workflow.signature import Input, Output, Signature
from service.workflow.tasks import Task
from tests.serving.formats import READERS, WRITERS, of_tables

from_body = of_tables(instances.from_body)

CSV, LINES, PARQUET, NPY = "text/csv", "application/x-ndjson", "application/vnd.apache.parquet", "application/x-npy"
STREAM, FILE = "application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file"
TABLES = (CSV, STREAM, FILE, PARQUET)
Y = [Output(name="y", type="number")]
MIXED = Signature(
    task=Task("regression"),
    inputs=[
        Input(name="n", type="number"),
        Input(name="c", type="category", categories=["a", "b", 'ü, "']),
        Input(name="t", type="datetime"),
        Input(name="b", type="boolean"),
    ],
    outputs=Y,
)


def numbers(*names: str) -> Signature:
    return Signature(task=Task("regression"), inputs=[Input(name=name, type="number") for name in names], outputs=Y)


XZ = numbers("x", "z")


def written(frame: pl.DataFrame, media_type: str) -> bytes:
    file = io.BytesIO()
    if media_type == CSV:
        frame.write_csv(file)
    elif media_type == STREAM:
        frame.write_ipc_stream(file)
    elif media_type == FILE:
        frame.write_ipc(file)
    elif media_type == PARQUET:
        frame.write_parquet(file)
    else:
        frame.write_ndjson(file)
    return file.getvalue()


def same(one: torch.Tensor, other: torch.Tensor) -> None:
    assert one.dtype == other.dtype == torch.float32
    np.testing.assert_array_equal(one.numpy(), other.numpy())
    assert np.array_equal(np.signbit(one.numpy()), np.signbit(other.numpy())) or bool(one.isnan().any())
    one += 0  # it owns its memory


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


FLOATS = st.floats(-3e38, 3e38) | st.integers(-(2**63), 2**63 - 1).map(float) | st.just(-0.0)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(FLOATS, FLOATS), min_size=1, max_size=6))
def test_numbers(rows: list[tuple[float, float]]) -> None:
    expected = from_body(XZ, {"instances": [list(row) for row in rows]}, False)
    frame = pl.DataFrame(rows, schema={"z": pl.Float64, "x": pl.Float64}, orient="row").select(x="z", z="x")
    for media_type in TABLES:
        same(READERS[media_type](written(frame, media_type), XZ, False), expected)
    for array in (np.array(rows), np.array(rows, ">f8"), np.asfortranarray(rows)):
        same(READERS[NPY](npy(array), XZ, False), expected)
    lines = b"\n".join(orjson.dumps(row) for row in rows)
    same(READERS[LINES](lines, XZ, False), expected)
    same(READERS[LINES](b"\n\r\n" + lines + b"\r\n", XZ, False), expected)


TIMES = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
ROWS = st.fixed_dictionaries(
    {
        "n": st.none() | FLOATS,
        "c": st.none() | st.sampled_from(["a", "b", 'ü, "', "new", "two\nlines"]),
        "t": st.none() | TIMES,
        "b": st.none() | st.booleans(),
    }
)


@settings(deadline=None, max_examples=40)
@given(st.lists(ROWS, min_size=1, max_size=6))
@example([{"n": None, "c": None, "t": datetime(2000, 1, 1, 5, 59, 13, 244, tzinfo=UTC), "b": None}])
def test_every_type(rows: list[dict[str, Any]]) -> None:
    instances = [{**row, "t": row["t"] and row["t"].isoformat()} for row in rows]
    expected = from_body(MIXED, {"instances": instances}, True)
    types: Any = {"n": pl.Float64, "c": pl.String, "t": pl.Datetime("us", "UTC"), "b": pl.Boolean}
    frame = pl.DataFrame(rows, schema=types).with_columns(y=1)
    for media_type in (STREAM, FILE, PARQUET):
        same(READERS[media_type](written(frame, media_type), MIXED, True), expected)
        coded = frame.with_columns(pl.col("c").cast(pl.Categorical))
        same(READERS[media_type](written(coded, media_type), MIXED, True), expected)
    texts = pl.DataFrame(instances, schema={**types, "t": pl.String})
    same(READERS[CSV](written(texts, CSV), MIXED, True), expected)
    same(READERS[LINES](b"\n".join(map(orjson.dumps, instances)), MIXED, True), expected)


def test_integers_are_rounded_through_float64() -> None:
    number = 2**53 + 2**29 + 1
    expected = from_body(XZ, {"instances": [[number, 1]]}, False)
    frame = pl.DataFrame({"x": [number], "z": [1]})
    for media_type in TABLES:
        same(READERS[media_type](written(frame, media_type), XZ, False), expected)
    same(READERS[NPY](npy(np.array([[number, 1]])), XZ, False), expected)
    same(READERS[NPY](npy(np.array([1, 2], np.int8)), numbers("x"), False), torch.tensor([[1.0], [2.0]]))


def pointers(media_type: str, body: bytes, signature: Signature = XZ, missing_allowed: bool = False) -> list[str]:
    with pytest.raises(InvalidInstances) as caught:
        READERS[media_type](body, signature, missing_allowed)
    assert all(0 < len(fault.message) < 400 for fault in caught.value.faults)
    return [fault.pointer for fault in caught.value.faults]


@pytest.mark.parametrize("media_type", TABLES)
def test_errors_in_tables_name_column_and_row(media_type: str) -> None:
    assert pointers(media_type, written(pl.DataFrame({"x": [1.0], "Z": [1.0]}), media_type)) == ["/Z", "/z"]
    frame = pl.DataFrame({"x": [1.0, None, 1e39], "z": [1.0, 2.0, 3.0]})
    assert pointers(media_type, written(frame, media_type)) == ["/x/1", "/x/2"]
    assert pointers(media_type, written(frame.clear(), media_type)) == [""]
    frame = pl.DataFrame({"x": [1.0, 2.0, 3.0], "z": ["1", "?", "3"]})
    assert "/z/1" in pointers(media_type, written(frame, media_type))
    wrong = pl.DataFrame({"n": [1, 2], "c": ["a", "b"], "t": ["2020-01-01", "soon"], "b": ["true", "perhaps"]})
    assert {"/t/1", "/b/1"} <= set(pointers(media_type, written(wrong, media_type), MIXED))
    if media_type != CSV:
        nested = pl.DataFrame({"x": [[1.0]], "z": [1.0]})
        assert len(pointers(media_type, written(nested, media_type))) == 1


BAD_CSV = [b"", b"x,z\n", b"x,z", b"x,z\n1\n", b"x,z\n1,2,3\n", b"x,x\n1,2\n", b"x,z\n1,\xff\n", b"\xff\xfex\0", b"x,z\n1,nan\n",
           b"x,z\n1,inf\n", b"x,z\n1,1e400\n", b"x,z\n1,1_0\n", b'x,z\n1,"2\n', b"x,z\n1,0x1\n", b"x,z\n1,\n",
           b"1,2\n3,4\n"]  # fmt: skip


@pytest.mark.parametrize("body", BAD_CSV)
def test_bad_csv(body: bytes) -> None:
    assert pointers(CSV, body)


def test_good_csv() -> None:
    for body in (
        b"x,z\n1,2\n",
        b"x,z\r\n1,2\r\n",
        b"\xef\xbb\xbfx,z\n1,2",
        b'z,x\n"2","1"\n',
        b"x,y,z\n1,9,2\n",
        b"x,z\n 1,2 \n",
    ):
        same(READERS[CSV](body, XZ, False), torch.tensor([[1.0, 2.0]]))
    assert READERS[CSV](b"x,z\n1,\n", XZ, True).isnan().tolist() == [[False, True]]
    for word in (b"nan", b"NaN", b"inf"):
        with pytest.raises(InvalidInstances):
            READERS[CSV](b"x,z\n1,2\n1,%b\n" % word, XZ, True)


BAD_LINES = [(b"", ""), (b"[1,2]\n[1]", "/1"), (b"[1,2],[3,4]", "/0"), (b"[1,2],[3\n4]", "/0"), (b"[1,2]\n[1,2],[3,4]\n", "/1"),
             (b'{"x":1,"z":2}\n{"x":1,"X":2}', "/1/X"), (b'{"x":1,"z":2,"x":1}', "/0"), (b"[1,2]\n[1,NaN]", "/1"),
             (b"[1,2]\n[1,null]", "/1/1"), (b"[1,2]\n\xef\xbb\xbf[1,2]", "/1"),
             (b'{"x":1,"z":2}\n{"x":1,"z":":"}', "/1/z"),
             (b'{"x":1,"z":2,"x":3}\n{"x":":","z":1}', "/0"), (b'{"x":1},{"z":2}\n{"x":1,"z":[{}\n{}]}', "/0"),
             (b'{"x":{"x":1},"z":2}', "/0/x")]  # fmt: skip


@pytest.mark.parametrize(("body", "first"), BAD_LINES)
def test_bad_lines(body: bytes, first: str) -> None:
    assert pointers(LINES, body)[0] == first


def test_a_byte_order_mark_before_json_lines_is_ignored() -> None:
    for body in (b"\xef\xbb\xbf[1,2]\n[1,2]\n", b'\xef\xbb\xbf{"x":1,"z":2}\r\n\r\n{"z":2,"x":1}'):
        same(READERS[LINES](body, XZ, False), torch.tensor([[1.0, 2.0], [1.0, 2.0]]))


def test_blank_lines_in_csv_are_skipped() -> None:
    for body in (
        b"x,z\n1,2\n\n3,4\n",
        b"x,z\r\n1,2\r\n \t\r\n3,4\r\n\r\n",
        b'x,z\n\n"1",2\n\n3,"4"\n',
        b"x,z\n\n1,2\n3,4",
    ):
        same(READERS[CSV](body, XZ, False), torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    same(READERS[CSV](b"x\n1\n\n2\n", numbers("x"), False), torch.tensor([[1.0], [2.0]]))
    assert READERS[CSV](b"x,z\n1,2\n,\n", XZ, True).isnan().tolist() == [[False, False], [True, True]]
    assert pointers(CSV, b"x,z\n1,2\n\n3,x\n") == ["/z/1"]  # rows are numbered like predictions


CELLS = st.sampled_from(
    ["", "1", "-0", "2.5", "1e5", "1e400", "3e39", " 7 ", "+1", ".5", "007", "nan", "[1]", "[", "true", "a", '"a"', "ä"]
)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=4),
    st.sampled_from(["\n", "\r\n", "\n\n"]),
    st.booleans(),
)
def test_the_fast_and_the_slow_csv_reader_agree(rows: list[list[str]], end: str, missing_allowed: bool) -> None:
    """An unused column with quotes makes the slow reader read the whole body."""
    described = Signature(
        task=Task("regression"),
        inputs=[MIXED.inputs[0], Input(name="c", type="category", categories=["a", "1"])],
        outputs=Y,
    )

    def read(head: str, more: str) -> tuple[list[list[float]], list[str]]:
        lines = [f"n,c{head}", *(",".join(row) + more for row in rows)]
        try:
            found = READERS[CSV]((end.join(lines) + end).encode(), described, missing_allowed)
        except InvalidInstances as error:
            return [], sorted(fault.pointer for fault in error.faults)
        return found.nan_to_num(-1.5).tolist(), []

    assert read("", "") == read(",y", ',"0"')


DATES = [
    pl.Series("t", [2**62], pl.Int64).cast(pl.Datetime("ms")), pl.Series("t", [-(2**62)], pl.Int64).cast(pl.Datetime("us")),
    pl.Series("t", [2**31 - 1], pl.Int32).cast(pl.Date), pl.Series("t", [253_402_300_800_000], pl.Int64).cast(pl.Datetime("ms")),
]  # fmt: skip


@pytest.mark.parametrize("dates", DATES, ids=["ms", "us", "days", "the year 10000"])
@pytest.mark.parametrize("media_type", [STREAM, FILE, PARQUET])
@pytest.mark.parametrize("kind", ["datetime", "category", "number"])
def test_dates_outside_the_calendar(media_type: str, dates: pl.Series, kind: Any) -> None:
    """polars panics at some of them, which raises no `Exception`."""
    described = Signature(task=Task("regression"), inputs=[Input(name="t", type=kind, categories=["a"])], outputs=Y)
    body = written(dates.to_frame(), media_type)
    if kind == "datetime":
        assert pointers(media_type, body, described) == ["/t/0"]
        return
    try:
        assert len(READERS[media_type](body, described, False)) == 1
    except InvalidInstances as error:
        assert error.faults[0].message


SAME = [
    ("1.0", [1, 1.0, "1", "1.0"]),
    ("1", [1, 1.0, "1", "1.0"]),
    ("True", [True, "true", "True"]),
    ("true", [True, "true", "True"]),
]


@pytest.mark.parametrize(("category", "values"), SAME)
def test_equal_numbers_and_texts_are_the_same_category(category: str, values: list[Any]) -> None:
    inputs = [Input(name="c", type="category", categories=["other", category]), Input(name="n", type="number")]
    described = Signature(task=Task("regression"), inputs=inputs, outputs=Y)
    for value in values:
        frame = pl.DataFrame({"c": [value], "n": [0.5]})
        for media_type in TABLES:
            assert READERS[media_type](written(frame, media_type), described, False)[0, 0] == 2, (value, media_type)
        for body in (
            {"instances": [[value, 0.5]]},
            {"instances": [{"c": value, "n": 0.5}]},
            {"inputs": {"c": [value], "n": [0.5]}},
        ):
            assert from_body(described, body, False)[0, 0] == 2, body
            line = orjson.dumps({"c": value, "n": 0.5})
            assert READERS[LINES](line, described, False)[0, 0] == 2
    assert from_body(described, {"instances": [["01", 0.5]]}, False)[0, 0] == 0  # a code, not a number


def header(text: str, rest: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\0" + len(text).to_bytes(2, "little") + text.encode() + rest


BAD_NPY = [
    b"", b"\x93NUMPY", b"\x93NUMPY\x01\0\xff\xff", b"\x93NUMPY\x02\0\xff\xff\xff\xff", npy(np.ones((2, 3))), npy(np.ones(2)),
    npy(np.ones((2, 2)))[:-1], npy(np.ones((2, 2))) + b"x", npy(np.ones((0, 2))), npy(np.ones((1, 2), complex)),
    npy(np.ones((1, 2), bool)), npy(np.array([["a", "b"]])), npy(np.array([[1.0, math.nan]])), npy(np.array([[1.0, math.inf]])),
    npy(np.array([[1.0, 1e39]])), npy(np.zeros(2, [("x", "f4"), ("z", "f4")])),
    header("{'descr': '|O', 'fortran_order': False, 'shape': (1, 2)}", b"\x80\x04N." * 4),
    header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000000, 2)}"),
    header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 2)}"), header("(" * 900), header("[1"), header("1"),
    header("{'descr': '<f4', 'fortran_order': False, 'shape': (True, 2)}", b"\0" * 8), header("__import__('os')"),
    header("{'descr': 'M8[s/0]', 'fortran_order': False, 'shape': (1, 2)}", b"\0" * 16),  # NumPy would divide by it
]  # fmt: skip


@pytest.mark.parametrize("body", BAD_NPY)
def test_bad_npy(body: bytes) -> None:
    assert pointers(NPY, body)


def test_npy_is_refused_for_other_types() -> None:
    assert pointers(NPY, npy(np.ones((1, 4))), MIXED) == [""]
    switch = Signature(task=Task("regression"), inputs=[Input(name="b", type="boolean")], outputs=Y)
    assert READERS[NPY](npy(np.array([True, False])), switch, False).tolist() == [[1.0], [0.0]]
    assert pointers(NPY, npy(np.array([1, 2])), switch) == ["/b/1"]
    assert READERS[NPY](npy(np.array([1.0, math.nan])), switch, True).isnan().tolist() == [[False], [True]]


def model_of(task: str, outputs: list[Output]) -> Warm:
    return Warm(cast(Model, None), Signature(task=Task(task), inputs=[], outputs=outputs))


def read_back(body: bytes, media_type: str) -> pl.DataFrame:
    match media_type:
        case "text/csv":
            return pl.read_csv(body, infer_schema_length=None)
        case "application/vnd.apache.parquet":
            return pl.read_parquet(io.BytesIO(body))
    return (pl.read_ipc_stream if media_type == STREAM else pl.read_ipc)(io.BytesIO(body))


@pytest.mark.parametrize("media_type", TABLES)
def test_predictions_as_tables(media_type: str) -> None:
    two = model_of("regression", [Output(name="y", type="number"), Output(name="z", type="number")])
    answers = np.array([[0.1, 2], [math.nan, 3], [math.inf, -4]], np.float32)
    frame = read_back(WRITERS[media_type](two, answers), media_type)
    assert frame.columns == ["y", "z"] and frame["y"].null_count() == 2 and frame["z"].to_list() == [2, 3, -4]
    assert frame["y"].cast(pl.Float32).to_numpy()[0] == answers[0, 0]
    cases: list[list[Any]] = [["no", "yes"], [1, 2], [False, True], [0.5, 1]]
    for classes in cases:
        labels = model_of("binary", [Output(name="y", type="class", classes=classes)])
        answers = np.array([[0.25, 0.75], [0.5, 0.5], [math.nan, 0.5]], np.float32)
        frame = read_back(WRITERS[media_type](labels, answers), media_type)
        rows = [
            dict(zip(values(labels, answers)[0]["probabilities"], each, strict=True)) for each in answers[:2].tolist()
        ]
        assert frame["label"].to_list() == [classes[1], classes[0], None]
        assert frame.columns[1:] == [f"probability_{name}" for name in rows[0]]
        assert frame.rows()[0][1:] == (0.25, 0.75) and frame.rows()[2][1:] == (None, None)
    marks = model_of("multilabel", [Output(name=name, type="label") for name in ("a", "b")])
    frame = read_back(WRITERS[media_type](marks, np.array([[0.25, 0.75]], np.float32)), media_type)
    assert frame.to_dicts() == [{"label_a": False, "label_b": True, "probability_a": 0.25, "probability_b": 0.75}]
    frame = read_back(WRITERS[media_type](marks, np.array([[0.25, math.nan]], np.float32)), media_type)
    assert frame.rows() == [(False, None, 0.25, None)]  # NaN is missing for labels, too


def test_predictions_as_json_lines_and_arrays() -> None:
    one, two = model_of("regression", Y), model_of("regression", Y * 2)
    answers = np.array([[0.1, 2], [math.nan, math.inf]], np.float32)
    assert WRITERS[LINES](one, answers[:, :1]) == b"0.1\nnull\n"
    assert WRITERS[LINES](two, answers) == b"[0.1,2.0]\n[null,null]\n"
    labels = model_of("binary", [Output(name="y", type="class", classes=["no", "yes"])])
    lines = WRITERS[LINES](labels, np.array([[0.25, 0.75], [0.5, math.nan]], np.float32)).splitlines()
    assert orjson.loads(lines[0]) == {"label": "yes", "probabilities": {"no": 0.25, "yes": 0.75}}
    assert orjson.loads(lines[1])["label"] is None
    for warm, each, shape in ((one, answers[:, :1], (2,)), (two, answers, (2, 2)), (labels, answers, (2, 2))):
        found = np.load(io.BytesIO(WRITERS[NPY](warm, each)), allow_pickle=False)
        assert found.shape == shape and found.dtype == np.float32 and not np.isinf(found).any()
