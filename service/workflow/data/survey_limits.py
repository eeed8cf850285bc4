"""What the process that reads an uploaded file may take (memory and processor time, by the size of the file as it was sent), and
how much it may say of it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from service.workflow.data.schema import Column

LEAST_MEMORY = 3 * 2**29  # bytes, whatever the file: a batch of it is in memory several times
MEMORY_PER_BYTE = 8
LEAST_SECONDS = 120  # of the processor
SECONDS_PER_MEBIBYTE = 4
MOST_VALUE_BYTES = 4 * 2**20  # of the distinct values of all columns, as JSON
MOST_COLUMN_VALUE_BYTES = 2**18  # of those of one column
MOST_HEAD_BYTES = 4 * 2**20  # of the first rows, as JSON
SHORT_CELL = 60  # characters of a cell, where a single row has more than that


def most_memory(size: int) -> int:
    """The bytes of memory for a file of so many bytes."""
    return LEAST_MEMORY + MEMORY_PER_BYTE * size


def most_processor_seconds(size: int) -> int:
    """The seconds of the processor for a file of so many bytes."""
    return LEAST_SECONDS + SECONDS_PER_MEBIBYTE * (size >> 20)


def limit_this_process(path: Path) -> None:
    """A file of a few kilobytes that becomes gigabytes, or takes hours, ends this process, and not the machine. On Linux."""
    if sys.platform != "linux":
        return
    import resource

    size = path.stat().st_size
    memory, seconds = most_memory(size), most_processor_seconds(size)
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def with_few_values(columns: Sequence[Column]) -> list[Column]:
    """The columns, without the distinct values of those that have the longest ones, until they are few enough bytes: what has
    such values is no target with classes."""
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
    """The first of these rows, as many as fit; one at least, its texts cut where it does not."""
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
