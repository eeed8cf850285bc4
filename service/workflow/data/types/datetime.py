"""Dates and times in UTC."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from service.workflow.data.schema import Column, Misfit
from service.workflow.data.table import Numbers, Texts
from service.workflow.data.types.column_type import LONGEST_CELL, ColumnType, TypeSurvey, expected
from service.workflow.data.types.date_formats import COUNTED, ISO, seconds, seconds_of
from service.workflow.data.types.how import SPACE, How
from service.workflow.data.types.names import Scalar

if TYPE_CHECKING:
    import polars as pl
    from torch import Tensor

    from service.workflow.data.types.evidence import Evidence

DAY = 86_400.0
YEAR = 365.2425 * DAY
WEEK = 7 * DAY
MONDAY = 4 * DAY  # 1970-01-05, the first Monday after the epoch
PERIODS = ((YEAR, 0.0), (WEEK, MONDAY), (DAY, 0.0))  # with their first seconds
FIRST, LAST = -62_135_596_800, 253_402_300_800  # seconds of the years 1 to 9999
SENTINELS = (-2208988800.0, 253402214400.0, 253402300799.0, -62135596800.0)  # 1900-01-01, 9999-12-31, 0001-01-01


class DatetimeSurvey(TypeSurvey):
    """Counts dates that often mean a missing value."""

    _sentinels = 0

    def add_numbers(self, numbers: Numbers) -> None:
        """Counts those of a batch."""
        self._sentinels += int(np.isin(numbers, SENTINELS).sum())

    def notes(self) -> list[str]:
        """How many there are."""
        text = "dates such as 1900-01-01 or 9999-12-31, which often mean a missing value"
        return [f"{self._sentinels} {text}; name them in `missing` if they do"] if self._sentinels else []

    def head(self, series: "pl.Series", values: "pl.Series") -> list[Any]:
        """As they are in the file."""
        import polars as pl

        texts = series if series.dtype == pl.String else series.cast(pl.String)
        return [None if each is None else each[:LONGEST_CELL] for each in texts.to_list()]


class Datetime(ColumnType):
    """A time, kept as seconds since 1970. Seven raw columns: days since 2000, and the phases of the year, the week and the
    day as sine and cosine."""

    name: ClassVar[str] = "datetime"
    precedence: ClassVar[int] = 0  # before numbers: 20240131 is also one
    survey: ClassVar[type[TypeSurvey]] = DatetimeSurvey
    float64: ClassVar[bool] = True
    dates: ClassVar[bool] = True
    raw_columns: ClassVar[int] = 7
    no_target: ClassVar[str | None] = "is a date or a time"
    chart_type: ClassVar[Literal["Q", "T", "N"]] = "T"
    example: ClassVar[Scalar | None] = "2026-01-31"
    hint: ClassVar[str] = f"numbers count as dates with `date_formats`: {' or '.join(COUNTED)}"

    def fits(self, evidence: "Evidence") -> str | None:
        """If all texts are dates in one format."""
        if evidence.date_format is None:
            return None
        return f"{evidence.others} of {evidence.others} cells are dates or times ({evidence.date_format})"

    def misfit(self, evidence: "Evidence") -> Misfit | None:
        """The first number or text that is not a date, if no format fits all."""
        if evidence.date_format is not None:
            return None
        cells = [each for each in (evidence.not_a_date, evidence.first_number) if each is not None and each[1]]
        row, text = min(cells, default=(0, ""))
        return Misfit(row=row, cell=text[:60], cells=evidence.others, of=evidence.others)

    def holds(self, dtype: "pl.DataType") -> bool:
        """Dates with or without times."""
        import polars as pl

        return dtype.base_type() in (pl.Date, pl.Datetime)

    def parse(self, series: "pl.Series", how: How) -> "pl.Series":
        """Float64 seconds since 1970, null for a value that is missing or not a time."""
        import polars as pl

        if series.dtype == pl.String:
            if how.date_format is None:
                return _guessed(series)
            found = seconds_of(how.stripped(series).str.strip_chars(SPACE), how.date_format)
        elif series.dtype.base_type() in (pl.Date, pl.Datetime):
            found = _seconds(series)
        elif series.dtype.is_numeric() and how.date_format in COUNTED:
            found = how.numbers(series).fill_null(np.nan).to_numpy() / COUNTED[how.date_format or ""]
        elif series.dtype.is_integer() and how.date_format == "%Y%m%d":
            found = seconds_of(series.cast(pl.String), how.date_format)
        else:
            found = np.full(len(series), np.nan)
        usable = (found >= FIRST) & (found < LAST)
        return pl.Series("", np.where(usable, found, np.nan)).fill_nan(None)

    def wanted(self, how: How) -> str:
        """A date in ISO 8601 or in the format of the data."""
        if how.date_format in COUNTED:
            return f"{how.date_format} since 1970, or a date or time in ISO 8601"
        also = f", or as {how.date_format}" if how.date_format not in (None, ISO) else ""
        return f"a date or time in ISO 8601{also}"

    def from_value(self, value: Any, how: How) -> float | None:
        """A text as in `from_text`; a number if the data have seconds or milliseconds."""
        if isinstance(value, str):
            return self.from_text(value, how)
        if how.date_format in COUNTED and isinstance(value, int | float) and not isinstance(value, bool):
            found = value / COUNTED[how.date_format or ""]
            if FIRST <= found < LAST:
                return found
        if how.date_format == "%Y%m%d" and isinstance(value, int) and not isinstance(value, bool):
            return self.from_text(str(value), how)
        raise expected(self.wanted(how), value)

    def from_text(self, text: str, how: How) -> float | None:
        """A date or time in ISO 8601 or in the format of the data."""
        if how.is_missing(text):
            return None
        bare = text.strip(SPACE)
        found = None if how.date_format is None else seconds(bare, how.date_format)
        if found is None:
            found = seconds(bare, ISO)
        if found is None:
            found = _by_python(bare)
        if found is None or not FIRST <= found < LAST:
            raise expected(self.wanted(how), text)
        return found

    def refusal(self, column: Column) -> str | None:
        """Also if the column holds booleans, or numbers that `date_formats` does not declare to be times."""
        if column.type == "boolean":
            return f"is a {column.type} and cannot be read as {self.name}"
        numbers = "holds numbers: read the data set anew with date_formats, `seconds` or `milliseconds`"
        return super().refusal(column) or (numbers if column.type == "number" else None)

    def input_fields(self, column: Column, how: How) -> dict[str, Any]:
        """The format of the dates."""
        return {"date_format": how.date_format}

    def encode(self, column: Numbers | Texts, categories: Sequence[str] | None) -> list[Numbers]:
        """Computed in float64: a float32 does not hold the seconds since 1970."""
        assert not isinstance(column, Texts)  # noqa: S101 - it was read as seconds
        days = (column - 30 * YEAR) / DAY
        made = [days]
        for period, start in PERIODS:
            angle = 2 * np.pi * (((column - start) % period) / period)
            made += [np.sin(angle), np.cos(angle)]
        return made

    def encode_tensors(self, columns: "Tensor") -> "list[Tensor]":
        """The same as `encode`."""
        import torch

        made = [(columns - 30 * YEAR) / DAY]
        for period, start in PERIODS:
            angle = 2 * torch.pi * (torch.remainder(columns - start, period) / period)
            made += [torch.sin(angle), torch.cos(angle)]
        return made

    def decoded(self, columns: Sequence[Numbers], categories: Sequence[str] | None) -> "pl.Series":
        """Times to a hundredth of a second: a float32 of days is exact to a minute, and the phase of the day says the rest."""
        import polars as pl

        days, sine, cosine = (np.asarray(columns[at], np.float64) for at in (0, 5, 6))
        phase = np.arctan2(sine, cosine) / (2 * np.pi) % 1
        seconds = (np.round(days + 30 * YEAR / DAY - phase) + phase) * DAY
        micro = pl.Series(np.round(seconds, 2) * 1e6, nan_to_null=True)
        return micro.round().cast(pl.Int64).cast(pl.Datetime("us", "UTC"))

    def keeps(self, number: float) -> bool:
        """Seconds of the years 1 to 9999."""
        return FIRST <= number < LAST

    def plotted(self, value: float | str) -> Scalar:
        """In ISO 8601."""
        return datetime.fromtimestamp(float(value), UTC).isoformat()


def _by_python(text: str) -> float | None:
    """The other formats of ISO 8601."""
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _seconds(series: "pl.Series") -> Numbers:
    """Seconds since 1970 of dates and times [n], NaN for a missing one."""
    import polars as pl

    # In integers: the calendar of polars panics at years that it cannot show.
    steps = series.to_physical().cast(pl.Int64)
    if series.dtype == pl.Date:
        a_second, steps = 1.0, pl.select(pl.when(steps.abs() < 2**40).then(steps * 86_400)).to_series()
    else:
        a_second = {"ms": 1e3, "us": 1e6, "ns": 1e9}[str(series.dtype.time_unit)]  # type: ignore[attr-defined]
        if a_second == 1e9:  # to microseconds, as in JSON
            a_second, steps = 1e6, steps // 1000
    found: Numbers = np.divide(steps.cast(pl.Float64).fill_null(np.nan).to_numpy(), a_second)
    return found


def _guessed(series: "pl.Series") -> "pl.Series":
    """By the formats that polars guesses, for data sets from before there was `date_format`."""
    import polars as pl

    texts = pl.col("")
    dates = texts.str.to_date(strict=False).cast(pl.Datetime("us", "UTC"))
    times = texts.str.to_datetime(time_unit="us", time_zone="UTC", strict=False).fill_null(dates)
    micro = series.to_frame("").select(times.dt.epoch("us").cast(pl.Float64)).to_series()
    return pl.Series("", np.divide(micro, 1e6))
