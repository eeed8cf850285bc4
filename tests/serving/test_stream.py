"""Streamed rows: every row is answered in order, errors are found, memory is bounded."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import numpy as np
import psutil
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from service.serving.stream import BATCH_ROWS, LONGEST_LINE, Stream
from service.serving.warm_models import Warm
from service.workflow.errors import InvalidInstances
from service.workflow.input_tensors import Tensors
from service.workflow.model import Model
from service.workflow.signature import Input, Output, Signature
from service.workflow.tasks import Task

WARM = Warm(
    cast(Model, None),
    Signature(
        task=Task("regression"),
        inputs=[Input(name="x", type="number")],
        outputs=[Output(name="y", type="number")],
    ),
)


async def double(raw: Tensors) -> "np.ndarray[Any, Any]":
    await asyncio.sleep(0)
    assert isinstance(raw, torch.Tensor) and len(raw) <= BATCH_ROWS
    return (raw * 2).numpy()


async def each(chunks: list[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def streamed(chunks: list[bytes]) -> tuple[list[bytes], InvalidInstances | None]:
    async def collect() -> tuple[list[bytes], InvalidInstances | None]:
        lines: list[bytes] = []
        try:
            async for made in Stream(WARM, False, double).answers(each(chunks)):
                lines += made.splitlines()
        except InvalidInstances as error:
            return lines, error
        return lines, None

    return asyncio.run(collect())


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=30), st.data())
def test_chunk_boundaries_do_not_matter(numbers: list[int], data: st.DataObject) -> None:
    body = b"\r\n\n".join(data.draw(st.sampled_from([b"[%d]", b'{"x": %d}', b"%d"])) % number for number in numbers)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=5)))
    chunks = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    lines, error = streamed(chunks)
    assert error is None
    assert [float(line) for line in lines] == [2 * number for number in numbers]


@pytest.mark.parametrize(
    "bad", [b"[1", b'["a"]', b"[null]", b"[1,2]", b'{"z":1}', b"[1],[2]", b"[" + b"1" * LONGEST_LINE + b"]"]
)
def test_the_rows_before_an_error_are_answered(bad: bytes) -> None:
    good = [b"[%d]\n" % number for number in range(2 * BATCH_ROWS + 10)]
    lines, error = streamed([*good, bad + b"\n", *good])
    assert error is not None and len(lines) == len(good)
    assert {fault.pointer.split("/")[1] for fault in error.faults} == {str(len(good))}
    lines, error = streamed([b"[1]\n", bad + b"\n"])
    assert error is not None and not lines  # nothing was sent yet: the whole request can be refused


@pytest.mark.parametrize("chunks", [[], [b""], [b"\n \r\n"]])
def test_no_rows(chunks: list[bytes]) -> None:
    assert streamed(chunks)[1] is not None


def test_an_endless_line_is_refused_at_the_limit() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"1" * 65536

    async def run() -> None:
        async for _ in Stream(WARM, False, double).answers(endless()):
            pass

    with pytest.raises(InvalidInstances, match="longer than"):
        asyncio.run(run())
    assert sent <= LONGEST_LINE // 65536 + 1


def test_streaming_many_rows_takes_little_memory() -> None:
    rows = 200_000

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, rows, 1000):
            yield b"".join(b"[%d]\n" % number for number in range(start, start + 1000))

    async def run() -> tuple[int, int]:
        count, most, before, process = 0, 0, 0, psutil.Process()
        async for made in Stream(WARM, False, double).answers(chunks()):
            before = process.memory_info().rss if not count else before
            count += made.count(b"\n")
            most = max(most, process.memory_info().rss - before)
        return count, most

    count, most = asyncio.run(run())
    assert count == rows
    assert most < 32 * 2**20
