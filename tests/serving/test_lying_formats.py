"""Bodies that are damaged or declare a wrong size: refused with a message, in little memory, without a crash."""

import io
import struct
import tracemalloc

import numpy as np
import polars as pl
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.serving.limits import MOST_ROWS
from service.workflow.errors import InvalidInstances
from service.workflow.signature import Input, Output, Signature
from service.workflow.tasks import Task
from tests.harness.processor_time import cheap
from tests.serving.formats import READERS

pytestmark = pytest.mark.usefixtures("own_garbage")

XC = Signature(
    task=Task("regression"),
    inputs=[Input(name="x", type="number"), Input(name="c", type="category", categories=["a"])],
    outputs=[Output(name="y", type="number")],
)
STREAM, FILE = "application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file"
PARQUET = "application/vnd.apache.parquet"


def bodies(frame: pl.DataFrame) -> list[tuple[str, bytes]]:
    made = []
    for compression in ("uncompressed", "zstd", "lz4"):
        stream, file, parquet = io.BytesIO(), io.BytesIO(), io.BytesIO()
        frame.write_ipc_stream(stream, compression=compression)
        frame.write_ipc(file, compression=compression)
        frame.write_parquet(parquet, compression=compression)
        made += [(STREAM, stream.getvalue()), (FILE, file.getvalue()), (PARQUET, parquet.getvalue())]
    return made


SMALL = bodies(pl.DataFrame({"x": [1.0, 2.0, None] * 20, "c": ["a", "b", None] * 20}))
WORDS = [struct.pack("<q", 2**60), struct.pack("<i", 2**31 - 1), b"\xff" * 8, b"\0" * 4, struct.pack("<q", -2)]


def read(media_type: str, body: bytes) -> None:
    before = psutil.Process().memory_info().rss
    try:
        assert len(READERS[media_type](body, XC, True)) <= MOST_ROWS
    except InvalidInstances as error:
        assert error.faults
    assert psutil.Process().memory_info().rss - before < 512 * 2**20


@pytest.mark.parametrize(("media_type", "body"), SMALL)
def test_valid_bodies_are_read_and_truncated_ones_are_refused(media_type: str, body: bytes) -> None:
    assert READERS[media_type](body, XC, True).shape == (60, 2)
    for at in range(0, len(body) - 9, 7):
        read(media_type, body[:at])


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(SMALL), st.data())
def test_a_corrupted_word(each: tuple[str, bytes], data: st.DataObject) -> None:
    media_type, body = each
    at = data.draw(st.integers(0, len(body)))
    word = data.draw(st.sampled_from(WORDS) | st.binary(min_size=1, max_size=2))
    read(media_type, body[:at] + word + body[at + len(word) :])


def test_bombs() -> None:
    rows = np.zeros(MOST_ROWS + 1, np.float32)
    for media_type, body in bodies(pl.DataFrame({"x": rows, "c": pl.Series([None] * len(rows), dtype=pl.String)})):
        with pytest.raises(InvalidInstances):
            READERS[media_type](body, XC, True)
    wide = {f"x{at}": np.zeros(2**20 - 2**18, np.float64) for at in range(45)}  # few bytes that expand to 270 MiB
    for media_type, body in bodies(pl.DataFrame(wide))[3:6]:
        with pytest.raises(InvalidInstances):
            READERS[media_type](body, XC, True)


def test_one_long_text_in_many_rows() -> None:
    file = io.BytesIO()
    pl.DataFrame({"x": np.zeros(400), "c": ["t" * 2**18] * 400}).write_parquet(file)
    body = file.getvalue()
    assert len(body) < 2**20

    def read() -> None:
        tracemalloc.start()
        try:
            assert READERS[PARQUET](body, XC, True).shape == (400, 2)
            assert tracemalloc.get_traced_memory()[1] < 16 * 2**20  # one text for each row would take 100 MiB
        finally:
            tracemalloc.stop()

    cheap(read, 1.0)


def test_columns_of_nulls() -> None:
    nothing = {f"x{at}": pl.Series([None], dtype=pl.Float32).new_from_index(0, 100_000) for at in range(200)}
    for media_type, body in bodies(pl.DataFrame(nothing))[6:]:
        with pytest.raises(InvalidInstances, match="values"):
            READERS[media_type](body, XC, True)
