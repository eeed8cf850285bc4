"""Reading a manifest whose fields may be absent, as in one that an earlier version has written, or of another type."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

NOT_RECORDED = "not recorded"
LONGEST_VALUE = 200  # characters of a value in a card
LONGEST_LISTED = 40  # of one in a list


def find(document: Any, *path: str) -> Any:
    """The value at a path, None if there is none."""
    for name in path:
        if not isinstance(document, Mapping):
            return None
        document = document.get(name)
    return document


def mapping(document: Any, *path: str) -> Mapping[str, Any]:
    """The object at a path, an empty one if there is none."""
    found = find(document, *path)
    return found if isinstance(found, Mapping) else {}


def objects(document: Any, *path: str) -> Sequence[Mapping[str, Any]]:
    """The objects in the list at a path, an empty list if there is none."""
    found = find(document, *path)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def values(document: Any, *path: str) -> Sequence[Any]:
    """The list at a path, an empty one if there is none."""
    found = find(document, *path)
    return found if isinstance(found, list) else []


def text(document: Any, *path: str) -> str:
    """The value at a path for readers, `not recorded` if there is none."""
    found = find(document, *path)
    return NOT_RECORDED if found is None else shown(found)


def shown(value: Any, longest: int = LONGEST_VALUE) -> str:
    """A value for readers: numbers with six significant digits, texts as they are, everything else as JSON; shortened."""
    if isinstance(value, str):
        made = value
    elif isinstance(value, int) and not isinstance(value, bool):
        made = str(value) if abs(value) < 10**LONGEST_VALUE else "a very large number"
    elif isinstance(value, float):
        made = f"{value:.6g}" if math.isfinite(value) else str(value)
    else:
        made = json.dumps(value, ensure_ascii=False, default=str)
    return made if len(made) <= longest else f"{made[: longest - 1]}…"


def count(document: Any, *path: str) -> str:
    """The number at a path with separated thousands, `not recorded` if there is none."""
    found = find(document, *path)
    return f"{found:,}" if isinstance(found, int) and 0 <= found < 10**18 else NOT_RECORDED


def names(listed: Sequence[Any], most: int) -> str:
    """The first `most` values, and how many there are if there are more."""
    first = ", ".join(shown(each, LONGEST_LISTED) for each in listed[:most])
    return first if len(listed) <= most else f"{first}, … ({len(listed):,} in all)"
