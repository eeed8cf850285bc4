"""Limits of the process that surveys an uploaded file: its memory and processor time, by the size of the file as it was sent,
and the size of its results."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from service.workflow.data.schema import Column

LEAST_MEMORY = 3 * 2**29  # bytes, for any file: several copies of a batch are in memory
MEMORY_PER_BYTE = 8
LEAST_SECONDS = 120  # of the processor
SECONDS_PER_MEBIBYTE = 4
MOST_VALUE_BYTES = 4 * 2**20  # of the distinct values of all columns, as JSON
MOST_COLUMN_VALUE_BYTES = 2**18  # of those of one column
MOST_HEAD_BYTES = 4 * 2**20  # of the first rows, as JSON
SHORT_CELL = 60  # characters of a cell, where one row exceeds MOST_HEAD_BYTES


def most_memory(size: int) -> int:
    """The maximum memory in bytes for a file of this size in bytes."""
    return LEAST_MEMORY + MEMORY_PER_BYTE * size


def most_processor_seconds(size: int) -> int:
    """The maximum processor time in seconds for a file of this size in bytes."""
    return LEAST_SECONDS + SECONDS_PER_MEBIBYTE * (size >> 20)


def limit_this_process(path: Path) -> None:
    """Limits this process, on Linux, because a file of a few kilobytes may expand to gigabytes or take hours."""
    if sys.platform != "linux":
        return
    import resource

    size = path.stat().st_size
    memory, seconds = most_memory(size), most_processor_seconds(size)
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def with_few_values(columns: Sequence[Column]) -> list[Column]:
    """The columns without the largest lists of distinct values, until the rest fits the limits. Such columns are no targets
    with classes."""
    sizes = {at: len(orjson.dumps(each.values)) for at, each in enumerate(columns) if each.values is not None}
    left, without = sum(sizes.values()), set()
    for at in sorted(sizes, key=lambda at: sizes[at], reverse=True):
        if left <= MOST_VALUE_BYTES and sizes[at] <= MOST_COLUMN_VALUE_BYTES:
            break
        left -= sizes[at]
        without.add(at)
    none = dict.fromkeys(("values", "counts", "labels", "label_counts"))
    return [each.model_copy(update=none) if at in without else each for at, each in enumerate(columns)]


def short_head(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first rows, as many as fit; at least one, with shortened texts if it does not fit."""
    kept: list[dict[str, Any]] = []
    left = MOST_HEAD_BYTES
    for row in rows:
        left -= len(orjson.dumps(row, default=str))
        if left < 0:
            break
        kept.append(row)
    if rows and not kept:
        kept = [{name: cell[:SHORT_CELL] if isinstance(cell, str) else cell for name, cell in rows[0].items()}]
    return kept
