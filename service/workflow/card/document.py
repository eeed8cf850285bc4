"""The parts of a model card, in no particular format. Any text may be a client's: the writers escape it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

SPACES = re.compile(r"\s")
JOINERS = "\u200c\u200d"  # which scripts and emoji need between two characters


@dataclass(frozen=True)
class Code:
    """A short text in a monospaced font."""

    text: str


@dataclass(frozen=True)
class Link:
    """A text that links to an address, which is never a client's."""

    text: str
    address: str


Span = str | Code | Link
Text = Span | Sequence[Span]


@dataclass(frozen=True)
class Paragraph:
    """A paragraph."""

    text: Text


@dataclass(frozen=True)
class Notes:
    """A client's text of several lines."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table. Every row has as many cells as `header`."""

    header: Sequence[str]
    rows: Sequence[Sequence[Text]]


@dataclass(frozen=True)
class Items:
    """A list with bullets."""

    items: Sequence[Text]


@dataclass(frozen=True)
class CodeBlock:
    """A program or a command; `language` as Markdown names it."""

    language: str
    text: str


@dataclass(frozen=True)
class Picture:
    """An image: the address of a file, or a `data:` URL."""

    title: str
    address: str


Block = Paragraph | Notes | Table | Items | CodeBlock | Picture


@dataclass(frozen=True)
class Section:
    """A heading and what is below it."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Document:
    """A title, the summary below it, and sections."""

    title: str
    summary: Sequence[Block]
    sections: Sequence[Section]


def spans(text: Text) -> Sequence[Span]:
    """The spans of a text."""
    return (text,) if isinstance(text, str | Code | Link) else text


def printable(text: str) -> str:
    """A text on one line: what is not printable, such as control characters and those that change the direction of writing,
    is replaced by the name of its code point."""
    return "".join(
        each if each.isprintable() or each in JOINERS else f"‹U+{ord(each):04X}›" for each in SPACES.sub(" ", text)
    )


def printable_lines(text: str) -> str:
    """A text of several lines, each printable, as in a block of code."""
    return "\n".join(map(printable, text.split("\n")))


def lines(text: str) -> list[str]:
    """The lines of a text, each printable and without spaces around it."""
    return [printable(each).strip() for each in text.replace("\r\n", "\n").split("\n")]
