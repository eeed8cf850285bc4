"""Escapes texts in CSV that spreadsheets would evaluate as formulas (CSV injection) by an apostrophe, which spreadsheets hide.
Labels come from data sets, which may be hostile."""

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
    """The frame with escaped texts and column names."""
    import polars as pl

    texts = pl.col(pl.String)
    formula = texts.str.contains(f"^{BEGINS}") & ~texts.str.contains(f"^{_NUMBER}$")
    made = frame.with_columns(pl.when(formula).then(pl.lit("'") + texts).otherwise(texts).name.keep())
    made.columns = [_FORMULA.sub("'", name, count=1) if _FORMULA.match(name) else name for name in made.columns]
    return made


def has_escaped(rows: bytes) -> bool:
    """Whether rows may have escaped texts."""
    return b"'" in rows and _IN_ROWS.search(rows) is not None


def unescape_name(name: str) -> str:
    """The name of a column without its escape."""
    return name[1:] if _QUOTED.match(name) else name


def unescape(frame: "pl.DataFrame") -> "pl.DataFrame":
    """The frame with its texts without their escapes."""
    import polars as pl

    return frame.with_columns(pl.col(pl.String).str.replace(f"^'({BEGINS})", "$1"))
