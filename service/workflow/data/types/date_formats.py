"""The formats of dates and times in texts: one regular expression for each, used for whole columns (polars) and for single
texts (Python).

A format is named by its date in the notation of `strptime`, such as `%d.%m.%Y`; each may be followed by a time of day, AM or
PM, and a time zone. A time without a zone is in UTC. Years of two digits are 1969 to 2068, as in POSIX.
"""

import re
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import polars as pl

ISO = "ISO 8601"
COUNTED = {"seconds": 1.0, "milliseconds": 1e3}  # since 1970, per second; never inferred

# In the order of preference, if several fit a whole column.
DATES = (
    ISO,
    *("%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%m-%d-%Y"),
    *("%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%b %d %Y", "%Y-%b-%d", "%d/%b/%Y"),
    *("%Y%m%d", "%Y-%m", "%b %Y", "%b-%Y", "%m/%Y"),
    *("%G-W%V-%u", "%G-W%V", "%d.%m.%y", "%m/%d/%y", "%d/%m/%y", "%d-%m-%y", "%d-%b-%y", "%b %d, %y", "%b-%y"),
)
DAY_OR_MONTH_FIRST = {"%m/%d/%Y": "%d/%m/%Y", "%m/%d/%y": "%d/%m/%y", "%d-%m-%Y": "%m-%d-%Y"}

_FIELDS = {
    "%Y": r"(?P<Y>[0-9]{4})",
    "%y": r"(?P<y>[0-9]{2})",
    "%m": r"(?P<m>[0-9]{1,2})",
    "%d": r"(?P<d>[0-9]{1,2})",
    "%b": r"(?P<b>[A-Za-z]{3,9})\.?",
    "%G": r"(?P<G>[0-9]{4})",
    "%V": r"(?P<V>[0-9]{2})",
    "%u": r"(?P<u>[1-7])",
}
_WEEKDAY = r"(?:(?:[Mm]on|[Tt]ue|[Ww]ed|[Tt]hu|[Ff]ri|[Ss]at|[Ss]un)[a-z]*,? )?"
_TIME = (
    r"(?:(?:T|,? +)(?P<H>[0-9]{1,2})(?::?(?P<M>[0-9]{2})(?::?(?P<S>[0-9]{2})(?:[.,](?P<f>[0-9]{1,9}))?)?)?"
    r" ?(?P<p>[AaPp]\.?[Mm]\.?)? ?(?P<z>Z|z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
MONTHS = {text: at for at, name in enumerate(_MONTHS, start=1) for text in (name, name[:3])} | {"sept": 9}


def check_format(name: str) -> None:
    """Checks that there is a format of this name.

    Raises:
        ValueError: there is not; the message lists the formats.
    """
    if name not in DATES and name not in COUNTED:
        raise ValueError(f"unknown form of dates; known: {', '.join((*DATES, *COUNTED))}")


@lru_cache(maxsize=len(DATES))
def pattern(name: str) -> str:
    """The regular expression of a format, for Python and for Rust."""
    made = "%Y-%m-%d" if name == ISO else name
    if name == "%Y%m%d":
        return r"^(?P<Y>(?:19|20)[0-9]{2})(?P<m>[0-9]{2})(?P<d>[0-9]{2})" + _TIME + "$"
    text = re.sub("%[A-Za-z]", lambda found: _FIELDS[found[0]], made.replace(".", r"\."))
    if "%b" in made:
        text = _WEEKDAY + text.replace(" ", " +").replace(r"\.?,", r"\.?,? ?").replace(",? ? +", ",? *")
    return "^" + text + _TIME + "$"


@lru_cache(maxsize=len(DATES))
def _compiled(name: str) -> re.Pattern[str]:
    return re.compile(pattern(name))


def seconds(text: str, name: str) -> float | None:
    """Seconds since 1970 of a text in this format; None for another text."""
    if name in COUNTED:
        try:
            return float(text) / COUNTED[name] if text.isascii() and "_" not in text else None
        except ValueError:
            return None
    found = _compiled(name).match(text)
    if found is None:
        return None
    given = found.groupdict()
    try:
        day = _date(given)
        hour, offset = _hour(given), _offset(given.get("z"))
        micro = int((given["f"] or "0").ljust(6, "0")[:6])
        moment = datetime(
            day.year, day.month, day.day, hour, int(given["M"] or 0), int(given["S"] or 0), micro, tzinfo=UTC
        )
        return (moment - timedelta(minutes=offset)).timestamp()
    except (ValueError, OverflowError, KeyError):
        return None


def _date(given: dict[str, Any]) -> date:
    if "G" in given:
        return date.fromisocalendar(int(given["G"]), int(given["V"]), int(given.get("u") or 1))
    year = int(given["Y"]) if "Y" in given else _full_year(int(given["y"]))
    month = MONTHS[given["b"].lower()] if "b" in given else int(given["m"])
    return date(year, month, int(given.get("d") or 1))


def _full_year(two_digits: Any) -> Any:
    return 1969 + (two_digits - 1969) % 100


def _hour(given: dict[str, Any]) -> int:
    hour, half = int(given["H"] or 0), given["p"]
    if given["H"] and not given["M"] and not half and not given["z"]:
        raise ValueError  # a single number after a date is not a time of day
    if not half:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError
    return hour % 12 + (12 if half[0] in "Pp" else 0)


def _offset(zone: str | None) -> int:
    """Minutes east of UTC."""
    if not zone or zone[0] not in "+-":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[3:].lstrip(":") or 0)
    if hours > 23 or minutes > 59:
        raise ValueError
    return (-1 if zone[0] == "-" else 1) * (60 * hours + minutes)


def seconds_of(texts: "pl.Series", name: str) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Seconds since 1970 of texts in this format [n]; NaN for a missing or another text."""
    import polars as pl

    if name in COUNTED:
        found = texts.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy() / COUNTED[name]
        return np.where(np.isfinite(found), found, np.nan)
    groups = texts.str.extract_groups(pattern(name)).struct.unnest()
    fields = {each: _Field(groups[each]) for each in groups.columns if each not in "bpz"}
    known = groups["H"].is_not_null() | texts.str.contains(pattern(name)).fill_null(False)
    days, valid = _days(fields, groups)
    hour, hours_valid = _hours(fields["H"], fields["M"], groups)
    minute, second = fields["M"].or_else(0), fields["S"].or_else(0)
    fraction = groups["f"].fill_null("0").str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64).to_numpy()
    offset, offset_valid = _offsets(groups["z"])
    micro = ((days * 24 + hour) * 60 + minute - offset) * 60 + second
    valid &= known.to_numpy() & hours_valid & offset_valid & (minute < 60) & (second < 60)
    # Divided as Python divides a timedelta, so that `seconds` returns the same bits.
    return np.where(valid, np.divide(micro * 1_000_000 + fraction, 1e6), np.nan)


class _Field:
    """A group of the regular expression as int64 [n]."""

    def __init__(self, series: "pl.Series") -> None:
        import polars as pl

        self.given = series.is_not_null().to_numpy()
        self.values = series.cast(pl.Int64, strict=False).fill_null(0).to_numpy()

    def or_else(self, value: int) -> "np.ndarray[Any, np.dtype[np.int64]]":
        """Its numbers, with a default for rows without the group."""
        made: np.ndarray[Any, np.dtype[np.int64]] = np.where(self.given, self.values, value)
        return made


def _days(fields: dict[str, _Field], groups: "pl.DataFrame") -> tuple[Any, Any]:
    """Days since 1970 [n], and whether the day exists [n]."""
    if "G" in fields:
        return _days_of_weeks(fields)
    year = fields["Y"].values if "Y" in fields else _full_year(fields["y"].values)
    month = _month_numbers(groups["b"]) if "b" in groups.columns else fields["m"].values
    day = fields["d"].values if "d" in fields else np.ones(len(year), np.int64)
    valid = (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1)
    months = (np.where(valid, year, 1970) - 1970) * 12 + np.where(valid, month, 1) - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    after = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return first + day - 1, valid & (day <= after - first)


def _days_of_weeks(fields: dict[str, _Field]) -> tuple[Any, Any]:
    """`_days` for weeks of ISO 8601, whose week 1 has January 4."""
    year, week = fields["G"].values, fields["V"].values
    day = fields["u"].or_else(1) if "u" in fields else np.ones(len(year), np.int64)
    valid = (year >= 1) & (week >= 1) & (week <= 53)
    known = np.where(valid, year, 1970)
    first, after = _first_monday(known), _first_monday(known + 1)
    days = first + 7 * (week - 1) + day - 1
    return days, valid & (first + 7 * (week - 1) < after)


def _first_monday(year: Any) -> Any:
    fourth = ((year - 1970) * 12).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + 3
    return fourth - (fourth + 3) % 7  # 1970-01-01 was a Thursday


def _month_numbers(names: "pl.Series") -> Any:
    import polars as pl

    lowered = names.str.to_lowercase()
    found = lowered.replace_strict(list(MONTHS), list(MONTHS.values()), default=0, return_dtype=pl.Int64)
    return found.fill_null(0).to_numpy()


def _hours(hour: _Field, minute: _Field, groups: "pl.DataFrame") -> tuple[Any, Any]:
    """Hours of the day [n], and whether the hour exists [n]."""
    half = groups["p"].is_not_null().to_numpy()
    afternoon = groups["p"].str.to_lowercase().str.starts_with("p").fill_null(False).to_numpy()
    zone = groups["z"].is_not_null().to_numpy()
    hours = np.where(half, hour.values % 12 + np.where(afternoon, 12, 0), hour.values)
    bare = hour.given & ~minute.given & ~half & ~zone
    valid = np.where(half, (hour.values >= 1) & (hour.values <= 12), hour.values <= 23) & ~bare
    return hours, valid


def _offsets(zones: "pl.Series") -> tuple[Any, Any]:
    """Minutes east of UTC [n], and whether the zone exists [n]."""
    import polars as pl

    minutes = {"Z": 0}
    for zone in zones.drop_nulls().unique().to_list():
        with suppress(ValueError):
            minutes[zone] = _offset(zone)
    found = zones.replace_strict(list(minutes), list(minutes.values()), default=None, return_dtype=pl.Int64)
    return found.fill_null(0).to_numpy(), (zones.is_null() | found.is_not_null()).to_numpy()
