"""Texts in CSV that a spreadsheet would take for a formula: written with an apostrophe before them, which spreadsheets hide,
and read without it. A label comes from data that somebody else may have made."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

BEGINS = r"[=+\-@\t\r]"
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_IN_ROWS = re.compile(rb"(?:^|[\n\",;|\t ])'[=+\-@\t\r]")
_QUOTED = re.compile(rf"'(?={BEGINS})")
_FORMULA = re.compile(rf"(?!{_NUMBER}\Z)(?={BEGINS})")


def escape(frame: "pl.DataFrame") -> "pl.DataFrame":
    """The frame with no text, nor a name of a column, that begins like a formula."""
    import polars as pl

    texts = pl.col(pl.String)
    formula = texts.str.contains(f"^{BEGINS}") & ~texts.str.contains(f"^{_NUMBER}$")
    made = frame.with_columns(pl.when(formula).then(pl.lit("'") + texts).otherwise(texts).name.keep())
    made.columns = [_FORMULA.sub("'", name, count=1) if _FORMULA.match(name) else name for name in made.columns]
    return made


def has_escaped(rows: bytes) -> bool:
    """Whether there may be texts in rows that were kept."""
    return b"'" in rows and _IN_ROWS.search(rows) is not None


def unescape_name(name: str) -> str:
    """The name of a column as it was before it was kept."""
    return name[1:] if _QUOTED.match(name) else name


def unescape(frame: "pl.DataFrame") -> "pl.DataFrame":
    """The frame with its texts as they were before they were kept."""
    import polars as pl

    return frame.with_columns(pl.col(pl.String).str.replace(f"^'({BEGINS})", "$1"))
