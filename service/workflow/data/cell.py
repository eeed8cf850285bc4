"""A cell of a column, for a message."""

from typing import TYPE_CHECKING

from service.workflow.data.native_errors import is_native
from service.workflow.data.types.category import as_text
from service.workflow.data.types.stored_types import in_words
from service.workflow.spec_base import shown

if TYPE_CHECKING:
    import polars as pl

UNITS = {"ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


def cell(series: "pl.Series", row: int) -> str:
    """The value in a row, shortened. A date outside the calendar is shown as the number in the file."""
    import polars as pl

    if series.dtype.is_nested() or series.dtype == pl.Binary:
        return f"what the file has as {in_words(series.dtype)}"
    if not series.dtype.is_temporal():
        value = series[row]
        return shown(value) if isinstance(value, str) else as_text(value)
    try:
        return str(series[row : row + 1].dt.to_string("iso:strict")[0])
    except BaseException as error:  # a panic of polars' calendar
        if not is_native(error):
            raise
    unit = UNITS.get(getattr(series.dtype, "time_unit", ""), "days")
    return f"what the file has as {series.to_physical()[row]} {unit} since 1970"
