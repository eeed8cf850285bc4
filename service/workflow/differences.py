"""The differences of two JSON documents, by RFC 6901 pointers."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import orjson

from service.workflow.errors import step
from service.workflow.spec_base import shown

MOST = 200
LONGEST = 1000  # bytes of a value as JSON, or characters of a text
AT_ONCE = 1000  # entries of lists that are compared as bytes first
ABSENT = object()


def differences(a: Any, b: Any) -> tuple[list[dict[str, Any]], bool]:
    """The first differences, and whether these are all. Each has a `pointer`, and the values `a` and `b`, of which one is absent
    where only one document has the place. A long text is cut off, and of a large list or object only its size is said."""
    found = [*islice(_differences(a, b, ""), MOST + 1)]
    return [_shown(pointer, *values) for pointer, *values in found[:MOST]], len(found) <= MOST


def _differences(a: Any, b: Any, at: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(a, dict) and isinstance(b, dict):
        for name in [*a, *(each for each in b if each not in a)]:
            yield from _differences(a.get(name, ABSENT), b.get(name, ABSENT), at + step(name))
    elif isinstance(a, list) and isinstance(b, list):
        for start in range(0, max(len(a), len(b)), AT_ONCE):
            yield from _in_slices(a[start : start + AT_ONCE], b[start : start + AT_ONCE], at, start)
    elif not _same(a, b):
        yield at, a, b


def _in_slices(a: list[Any], b: list[Any], at: str, start: int) -> Iterator[tuple[str, Any, Any]]:
    # In slices, so that other threads can run in between.
    if len(a) == len(b) == AT_ONCE and orjson.dumps(a) == orjson.dumps(b):
        return
    for position in range(max(len(a), len(b))):
        ours, theirs = (each[position] if position < len(each) else ABSENT for each in (a, b))
        yield from _differences(ours, theirs, at + step(start + position))


def _same(a: Any, b: Any) -> bool:
    """True and 1 differ, 1 and 1.0 do not."""
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)


def _shown(pointer: str, a: Any, b: Any) -> dict[str, Any]:
    found = {"pointer": pointer}
    return found | {name: _cut(value) for name, value in (("a", a), ("b", b)) if value is not ABSENT}


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= LONGEST else f"{value[:LONGEST]}…"
    if isinstance(value, list | dict) and (len(value) > LONGEST or len(orjson.dumps(value)) > LONGEST):
        return shown(value)
    return value
