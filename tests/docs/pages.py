"""The pages of the documentation, and their snippets."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "README.vi.md",
    ROOT / "CHANGELOG.md",
    ROOT / "examples" / "README.md",
    *sorted(ROOT.glob("docs/**/*.md")),
]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_MARK = re.compile(r"<!-- (run|not run: .+?) -->\n\Z")


@dataclass(frozen=True)
class Snippet:
    """A fenced block; `mark` is the comment right above it. Without a mark it is not run."""

    language: str
    code: str
    mark: str | None


def snippets(page: Path) -> Iterator[Snippet]:
    """Every fenced block of a page."""
    text = page.read_text()
    for found in _FENCE.finditer(text):
        mark = _MARK.search(text, 0, found.start())
        yield Snippet(found[1], found[2], mark[1] if mark else None)


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", page.read_text())


def name(page: Path) -> str:
    """A page's path, for test ids."""
    return page.relative_to(ROOT).as_posix()
