"""Arrow without a table between: what is read is what polars reads, and nothing is read that it refuses."""

import io
from typing import Any, cast

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from service.serving.formats import plain_arrow
from service.serving.formats.arrow import read_stream, write_stream
from service.serving.warm_models import Warm
from service.workflow.errors import InvalidInstances
from service.workflow.model import Model
from service.workflow.signature import Input, Output, Signature
from service.workflow.tasks import Task

FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=True)
NAMES = ("a", "b", "ü")


def stream(frame: pl.DataFrame, **how: Any) -> bytes:
    out = io.BytesIO()
    frame.write_ipc_stream(out, **how)
    return out.getvalue()


def plain(body: bytes, names: tuple[str, ...] = NAMES) -> "np.ndarray[Any, Any] | None":
    return plain_arrow.matrix(body, tuple(name.encode() for name in names))


SIGNATURE = Signature(
    task=Task.REGRESSION,
    inputs=[Input(name=name, type="number") for name in NAMES],
    outputs=[Output(name="y", type="number")],
)


def outcome(body: bytes) -> "torch.Tensor | str":
    """What comes of it, as a request would see it."""
    try:
        return read_stream(body, SIGNATURE, missing_allowed=True)
    except InvalidInstances as refused:
        return str(refused.faults)


def by_polars(body: bytes) -> "torch.Tensor | str":
    """The same, with nothing learned."""
    plain_arrow._learned.clear()
    return outcome(body)


def same(one: "torch.Tensor | str", other: "torch.Tensor | str") -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return bool(torch.equal(one.nan_to_num(7e7), other.nan_to_num(7e7)))
    return one == other if isinstance(one, str) else False


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    """Three columns of one length, mostly of one type of float."""
    rows = draw(st.integers(0, 20))
    kinds = draw(st.sampled_from([pl.Float32, pl.Float64])), draw(st.sampled_from([pl.Float16, pl.Float64, pl.Int64]))
    odd = draw(st.sampled_from([None, None, *NAMES]))
    missing = draw(st.sampled_from([False, False, True]))
    values = st.integers(-5, 5) | st.none() if missing else st.integers(-5, 5)
    columns = {}
    for name in draw(st.permutations(NAMES)):
        kind = kinds[1] if name == odd else kinds[0]
        drawn = st.lists(
            FLOATS if kind in (pl.Float32, pl.Float64) and not missing else values, min_size=rows, max_size=rows
        )
        columns[name] = pl.Series(name, draw(drawn), dtype=kind, strict=False)
    return pl.DataFrame(columns)


@given(frames(), st.sampled_from(["uncompressed", "lz4", "zstd"]))
def test_what_is_read_is_what_polars_reads(frame: pl.DataFrame, compression: Any) -> None:
    body = stream(frame, compression=compression)
    expected = by_polars(body)
    is_plain = len(set(frame.dtypes)) == 1 and frame.dtypes[0].is_float() and frame.height > 0
    is_plain = is_plain and compression == "uncompressed" and not any(frame.null_count().row(0))
    assert (plain(body) is not None) == is_plain
    assert same(outcome(body), expected)


BODY = stream(pl.DataFrame({name: np.arange(8, dtype=np.float32) + at for at, name in enumerate(NAMES)}))


@given(
    st.lists(st.tuples(st.integers(0, len(BODY) - 1), st.integers(0, 255)), max_size=4),
    st.integers(0, 40),
    st.binary(max_size=9),
)
@example([], 0, b"")
@example([], 8, b"")  # without its end
@example([], 9, b"")  # without the last byte of its body
def test_nothing_is_read_that_polars_refuses(changes: list[tuple[int, int]], cut: int, more: bytes) -> None:
    changed = bytearray(BODY[: len(BODY) - cut])
    for at, byte in changes:
        if at < len(changed):
            changed[at] = byte
    body = bytes(changed) + more
    expected = by_polars(body)
    outcome(BODY)  # so that its messages are known
    assert same(outcome(body), expected)
    assert same(outcome(body), expected)  # and now perhaps its own


@pytest.mark.parametrize("names", [("a", "b"), ("a", "b", "c"), ("a", "a", "b"), ("a", "b", "ü", "d"), ()])
def test_other_names_are_left_to_who_finds_the_words(names: tuple[str, ...]) -> None:
    outcome(BODY)
    assert plain(BODY, names) is None
    assert plain(BODY) is not None


def test_two_batches_are_left_to_polars() -> None:
    twice = BODY[:-8] + BODY[plain_arrow._message_end(BODY, 0) :]
    expected = by_polars(twice)
    outcome(BODY)
    assert isinstance(expected, torch.Tensor) and len(expected) == 16
    assert same(outcome(twice), expected) and plain(twice) is None


def test_what_is_learned_is_bounded() -> None:
    for rows in range(1, plain_arrow.MOST_LEARNED + 20):
        outcome(stream(pl.DataFrame({name: np.zeros(rows, np.float32) for name in NAMES})))
    assert len(plain_arrow._learned) <= plain_arrow.MOST_LEARNED


@given(st.integers(1, 20), st.integers(1, 3), st.data())
def test_what_is_written_is_what_polars_writes(rows: int, columns: int, data: st.DataObject) -> None:
    outputs = [Output(name=name, type="number") for name in NAMES[:columns]]
    warm = Warm(cast(Model, None), SIGNATURE.model_copy(update={"outputs": outputs}))
    drawn = st.lists(st.lists(FLOATS, min_size=columns, max_size=columns), min_size=rows, max_size=rows)
    for _ in range(3):  # the second time by what was learned the first, unless something was not finite
        answers = np.array(data.draw(drawn), np.float32)
        written = write_stream(warm, answers)
        frame = pl.read_ipc_stream(io.BytesIO(written))
        known = np.where(np.isfinite(answers), answers, np.nan)
        assert np.array_equal(frame.fill_null(np.nan).to_numpy(), known, equal_nan=True)
        assert frame.columns == list(NAMES[:columns]) and sum(frame.null_count().row(0)) == np.isnan(known).sum()
    plain_arrow._frames.clear()
    finite = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
    by_polars = write_stream(warm, finite)
    assert plain_arrow.stream(NAMES[:columns], finite) == by_polars
    other = plain_arrow.stream(NAMES[:columns], finite + 1)
    plain_arrow._frames.clear()
    assert other == write_stream(warm, finite + 1)
