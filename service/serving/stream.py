"""Streams of JSON Lines: batches of rows are predicted one after another, with a few thousand rows in memory at a time."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from service.serving.codecs import json_lines
from service.serving.forward import Array
from service.serving.limits import check_lines, invalid
from service.serving.warm_models import Warm
from service.workflow.errors import InvalidInstances
from service.workflow.input_tensors import Tensors
from service.workflow.spec_base import MOST_FAULTS

BATCH_ROWS = 4096
BATCH_BYTES = 2**20  # of long rows, fewer make a batch
LONGEST_LINE = 2**20
SLICE = 64 * 2**10  # bytes that are split into lines at a time
SPACE = b" \t\r\n"  # JSON's white space; that of Python has more characters


@dataclass(frozen=True)
class Stream:
    """The predictions of one stream.

    Args:
        warm: the model.
        missing_allowed: whether values may be missing.
        predict: gives the model's answers [n, outputs] to the raw features of a batch.
    """

    warm: Warm
    missing_allowed: bool
    predict: Callable[[Tensors], Awaitable[Array]]

    async def answers(self, chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """Yields the answers of each batch as JSON Lines, in order; empty lines are skipped.

        The rows before an invalid one are answered, unless it is in the first batch: then nothing has been sent, and the
        request can still be refused.

        Raises:
            InvalidInstances: a row is invalid, with its number in the whole stream from 0; or too many lines are empty.
        """
        done = 0
        async for lines in _batches(chunks, min(BATCH_ROWS, self.warm.most_rows)):
            # In a thread: a batch of objects takes 20 ms.
            good, fault = await asyncio.to_thread(self._read, lines, done)
            if fault is not None and (not done or good is None):
                raise fault
            if good is not None:
                yield await asyncio.to_thread(json_lines.write, self.warm, await self.predict(good))
            if fault is not None:
                raise fault
            done += len(lines)
        if not done:
            raise invalid("expected at least one row")

    def _read(self, lines: list[bytes], first: int) -> tuple[Tensors | None, InvalidInstances | None]:
        """The features of a batch, or of the rows before the first invalid one, and the error of that one."""
        signature = self.warm.signature
        try:
            for at, line in enumerate(lines):
                if len(line) > LONGEST_LINE:
                    raise invalid(f"the line is longer than {LONGEST_LINE} bytes", f"/{first + at}")
            return json_lines.rows(lines, signature, self.missing_allowed, first), None
        except InvalidInstances as error:
            row = min(int(fault.pointer.split("/")[1]) for fault in error.faults)
            before = lines[: row - first]
            faults = [fault for fault in error.faults[:MOST_FAULTS] if fault.pointer.split("/")[1] == str(row)]
            # Invalid JSON is found before the values of the lines above it are checked.
            good, earlier = self._read(before, first) if before else (None, None)
            return good, earlier or InvalidInstances(*faults)


async def _batches(chunks: AsyncIterable[bytes], rows: int) -> AsyncIterator[list[bytes]]:
    """Splits the chunks into batches of up to `rows` lines; the last line may be one that is too long.

    Raises:
        InvalidInstances: too many lines are empty.
    """
    lines: list[bytes] = []
    size, found, count, rest = 0, 0, 0, bytearray()
    async for chunk in chunks:
        for start in range(0, len(chunk), SLICE):
            first, *others = chunk[start : start + SLICE].split(b"\n")
            rest += first
            if others:
                whole = [line for each in (bytes(rest), *others[:-1]) if (line := each.strip(SPACE))]
                rest = bytearray(others[-1])
                found, count = found + len(whole), count + len(others)
                check_lines(count, found)
                lines += whole
                size += sum(map(len, whole))
            while len(lines) >= rows or (lines and size >= BATCH_BYTES):
                batch, lines = lines[:rows], lines[rows:]
                size = sum(map(len, lines))
                yield batch
        if len(rest) > LONGEST_LINE:  # it will be refused
            break
    if last := bytes(rest if len(rest) > LONGEST_LINE else rest.strip(SPACE)):
        lines.append(last)
    for start in range(0, len(lines), rows):
        yield lines[start : start + rows]
