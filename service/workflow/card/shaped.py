"""Inputs whose values have a shape, such as images, in a model card: what they are, and how one is sent."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.workflow.card.recorded import shown, values
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.data.types.shaped_type import ShapedType

PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ .-]*", re.ASCII)  # one that curl takes before `=`
MOST_NUMBERS = 30  # of an array that is written out


@dataclass(frozen=True)
class Shaped:
    """The type of an input whose values have a shape, and that shape."""

    kind: ShapedType
    shape: Sequence[int]

    @property
    def file(self) -> tuple[str, str] | None:
        """The name and the media type of a value that is a file; None if it is none."""
        return self.kind.file_example

    @property
    def long(self) -> bool:
        """Whether a value is an array that is too long to be written out."""
        return self.file is None and not self.kind.texts and math.prod(self.shape) > MOST_NUMBERS


def shaped(column: Mapping[str, Any]) -> Shaped | None:
    """An input's type and shape; None if its values have none, or the manifest does not record it as this software does."""
    name, shape = column.get("type"), values(column, "shape")
    kind = COLUMN_TYPES.get(name) if isinstance(name, str) else None
    whole = all(type(each) is int and 0 < each < 10**9 for each in shape)
    return Shaped(kind, list(shape)) if isinstance(kind, ShapedType) and shape and whole else None


def description(column: Mapping[str, Any]) -> str | None:
    """What an input's values become, in words; None if they have no shape."""
    found = shaped(column)
    try:
        return None if found is None else found.kind.in_words(found.shape)
    except (ValueError, IndexError):  # of another number of dimensions
        return None


def form(row: Mapping[str, Any], inputs: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]] | None:
    """A row as arguments of curl's `-F` (a file) and `--form-string`; None if curl would misread a name, or a value is neither a
    file nor a plain value."""
    parts = []
    for each in inputs:
        name, found = str(each.get("name")), shaped(each)
        value = row.get(name)
        if not PLAIN_NAME.fullmatch(name):
            return None
        if found is not None and found.file is not None:
            parts.append(("-F", f"{name}=@{found.file[0]}"))
        elif isinstance(value, list | dict):
            return None
        elif value is not None:
            parts.append(("--form-string", f"{name}={value if isinstance(value, str) else _text(value)}"))
    return parts


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else shown(value)
