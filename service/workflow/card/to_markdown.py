"""A document as GitHub Flavored Markdown (https://github.github.com/gfm/)."""

import re
from collections.abc import Sequence

from service.workflow.card.document import (
    Block,
    Code,
    CodeBlock,
    Document,
    Items,
    Link,
    Notes,
    Paragraph,
    Picture,
    Table,
    Text,
    lines,
    printable,
    printable_lines,
    spans,
)

# Characters with a meaning inside a line. The others, such as a hyphen, have one at the beginning of a line only.
SPECIAL = re.compile(r"[\\`*_\[\]<>|~$&]")
FIRST = re.compile(r"^(?:[-+](?=[-+\s]|$)|[#=:]|\d{1,9}(?=[.)](?:\s|$)))")
CLOSING = re.compile(r"(?<=\s)#+$")  # of a heading
PLAIN_CODE = re.compile(r"[\w.,:=/()@+-]+( [\w.,:=/()@+-]+)*", re.ASCII)


def to_markdown(document: Document) -> str:
    """The whole document."""
    parts = [f"# {_heading(document.title)}", *map(_block, document.summary)]
    for section in document.sections:
        parts += [f"## {_heading(section.title)}", *map(_block, section.blocks)]
    return "\n\n".join(part for part in parts if part) + "\n"


def escaped(text: str) -> str:
    """A text without a meaning in Markdown and HTML, on one line."""
    return _safe_start(_inside(text).strip())


def _heading(text: str) -> str:
    """A text as a heading, which signs # after a space would close."""
    return CLOSING.sub(r"\\\g<0>", escaped(text))


def _inside(text: str) -> str:
    return SPECIAL.sub(r"\\\g<0>", printable(text))


def _safe_start(line: str) -> str:
    """A line that begins no list, heading or rule."""
    return FIRST.sub(lambda found: f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}", line)


def _block(block: Block) -> str:
    match block:
        case Paragraph():
            return _safe_start(_text(block.text))
        case Notes():
            # Two line ends in a row begin a paragraph, in Markdown as in the notes.
            return re.sub("\n{3,}", "\n\n", "\n".join(map(escaped, lines(block.text)))).strip("\n")
        case Table():
            return _table(block)
        case Items():
            return "\n".join(f"- {_safe_start(_text(each))}" for each in block.items)
        case CodeBlock():
            return _code_block(block)
        case Picture():
            return f"![{escaped(block.title)}]({block.address})"


def _text(text: Text) -> str:
    parts = []
    for span in spans(text):
        match span:
            case str():
                parts.append(_inside(span))
            case Code():  # as code where that is unambiguous
                parts.append(f"`{span.text}`" if PLAIN_CODE.fullmatch(span.text) else _inside(span.text))
            case Link():
                parts.append(f"[{_inside(span.text)}]({span.address})")
    return "".join(parts).strip()


def _table(table: Table) -> str:
    def row(cells: Sequence[Text]) -> str:
        return f"| {' | '.join(_text(each) or ' ' for each in cells)} |"

    return "\n".join([row(table.header), "|" + " --- |" * len(table.header), *map(row, table.rows)])


def _code_block(block: CodeBlock) -> str:
    """In a fence that is longer than any in the text."""
    longest = max((len(each) for each in re.findall("`+", block.text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{block.language}\n{printable_lines(block.text)}\n{fence}"
