"""A test file and its expected content."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["number", "category", "boolean", "datetime", "unsupported"]
Value = float | bool | str | None


@dataclass(frozen=True)
class Expected:
    """The expected content of a column.

    Args:
        type: None for a column without any value, whose type does not matter.
        values: as a training sees them: numbers, booleans, texts, times in ISO 8601 (UTC); None for a missing one. None in
            place of them where they do not matter.
        labels: the same cells when the column is read as a category, such as the classes of a target.
        index: whether the column only counts or names the rows.
    """

    name: str
    type: Kind | None
    values: Sequence[Value] | None = None
    labels: Sequence[str | None] | None = None
    index: bool = False


@dataclass(frozen=True)
class Case:
    """A file, the options of its upload, and the expected result.

    Args:
        columns: all columns in order; empty if the file must be refused.
        options: the query parameters of the upload.
        reading: what the reading must contain.
        notes: patterns, each of which some note must match.
        quiet: whether there must be no notes.
        error: a pattern that the refusal must match.
    """

    name: str
    content: bytes | Callable[[], bytes]
    columns: Sequence[Expected] = ()
    media_type: str = "text/csv"
    options: Mapping[str, object] = field(default_factory=dict)
    reading: Mapping[str, object] = field(default_factory=dict)
    notes: Sequence[str] = ()
    quiet: bool = False
    error: str | None = None

    @property
    def file(self) -> bytes:
        """The file's bytes."""
        return self.content if isinstance(self.content, bytes) else self.content()


def number(
    name: str,
    values: Sequence[float | None] | None = None,
    *,
    labels: Sequence[str | None] | None = None,
    index: bool = False,
) -> Expected:
    """A column of numbers."""
    return Expected(name, "number", values, labels, index)


def category(name: str, values: Sequence[str | None] | None = None, *, index: bool = False) -> Expected:
    """A column of texts."""
    return Expected(name, "category", values, index=index)


def boolean(
    name: str, values: Sequence[bool | None] | None = None, *, labels: Sequence[str | None] | None = None
) -> Expected:
    """A column of booleans."""
    return Expected(name, "boolean", values, labels)


def datetime(name: str, values: Sequence[str | None] | None = None) -> Expected:
    """A column of dates or times."""
    return Expected(name, "datetime", values)


def empty(name: str) -> Expected:
    """A column that has no value in any row."""
    return Expected(name, None)


def unsupported(name: str) -> Expected:
    """A column of an unsupported type, which is no default feature."""
    return Expected(name, "unsupported")
