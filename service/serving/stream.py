"""Rows that come in line by line and go out line by line, however many: never more than a few thousand in memory."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import torch

from service.serving.codecs import json_lines
from service.serving.forward import Array
from service.serving.limits import check_lines, invalid
from service.serving.warm_models import Warm
from service.workflow.errors import InvalidInstances
from service.workflow.spec_base import MOST_FAULTS

BATCH_ROWS = 4096
BATCH_BYTES = 2**20  # of rows that are long, fewer make a batch
LONGEST_LINE = 2**20
SLICE = 64 * 2**10  # bytes whose lines are found at a time
SPACE = b" \t\r\n"  # as JSON has it; Python's own has more


@dataclass(frozen=True)
class Stream:
    """How the rows of one request are predicted: `predict` is given raw features [n, slots] of a batch and gives the
    model's answers [n, outputs]."""

    warm: Warm
    missing_allowed: bool
    predict: Callable[[torch.Tensor], Awaitable[Array]]

    async def answers(self, chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """JSON Lines for JSON Lines, in order, a batch at a time; empty lines are left out.

        The rows before a faulty one are answered, unless it stands in the first batch: then nothing has been sent, and
        the request can still be refused as a whole.

        Raises:
            InvalidInstances: a row is wrong, and rows count from 0 over the whole request; or too many lines are empty.
        """
        done = 0
        async for lines in _batches(chunks):
            # Apart from the event loop: rows with names take it twenty milliseconds a batch.
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

    def _read(self, lines: list[bytes], first: int) -> tuple[torch.Tensor | None, InvalidInstances | None]:
        """The rows of a batch; those before the first faulty one, and what is wrong with it."""
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
            # A line that is no JSON is found before the values of the lines above it are looked at.
            good, earlier = self._read(before, first) if before else (None, None)
            return good, earlier or InvalidInstances(*faults)


async def _batches(chunks: AsyncIterable[bytes]) -> AsyncIterator[list[bytes]]:
    """Lines gathered until they make a batch; the last of them may be one that is too long.

    Raises:
        InvalidInstances: many more lines are empty than hold a row.
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
            while len(lines) >= BATCH_ROWS or (lines and size >= BATCH_BYTES):
                batch, lines = lines[:BATCH_ROWS], lines[BATCH_ROWS:]
                size = sum(map(len, lines))
                yield batch
        if len(rest) > LONGEST_LINE:  # it is refused whatever follows
            break
    if last := bytes(rest if len(rest) > LONGEST_LINE else rest.strip(SPACE)):
        lines.append(last)
    for start in range(0, len(lines), BATCH_ROWS):
        yield lines[start : start + BATCH_ROWS]
