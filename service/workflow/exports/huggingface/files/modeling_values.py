"""From values of the columns of a table to numbers, as `modeling.py` says."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from numbers import Real
from typing import Any

import torch
from torch import Tensor

Config = Mapping[str, Any]  # a part of config.json
Row = Mapping[str, Any]
SPACE = " \t\r\n\f\v\u00a0\u2007\u202f\ufeff"  # removed from both ends of every text
DATETIME_COLUMNS = 7
DAY, YEAR = 86_400.0, 365.2425 * 86_400.0
FIRST, LAST = -62_135_596_800, 253_402_300_800  # seconds of the years 1 to 9999
PER_SECOND = {"seconds": 1.0, "milliseconds": 1e3}  # the forms of dates that are numbers
MONTHS = "january february march april may june july august september october november december"
MONTH_NAMES = {text: at for at, name in enumerate(MONTHS.split(), start=1) for text in (name, name[:3])} | {"sept": 9}
BOOLEANS = {**dict.fromkeys(("true", "yes", "t", "y", "1"), 1.0), **dict.fromkeys(("false", "no", "f", "n", "0"), 0.0)}
NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
JSON_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?"
SEPARATORS = {".": "[,'’\u00a0\u202f]", ",": "[.'’\u00a0\u202f ]"}  # of thousands, by the decimal point


def read_column(of: Config, rows: Sequence[Row], first: int = 1) -> list[Tensor]:
    """The raw columns of one input, each float64 [n], NaN for a missing value. Raises ValueError; it names row and input, where
    `first` is the number of the first row."""
    read, expected = READERS[of["type"]]
    name, missing, values = of["name"], {"", *of.get("missing", ())}, []
    for number, row in enumerate(rows, start=first):
        if name not in row:
            raise ValueError(f"row {number} has no value for the input {name!r}; None stands for a missing one")
        value = row[name].strip(SPACE) if isinstance(row[name], str) else row[name]
        absent = value is None or value != value or (isinstance(value, str) and value in missing)
        try:
            found = math.nan if absent else read(value, of)
        except (TypeError, ValueError, OverflowError):
            found = None
        if found is None:
            raise ValueError(f"row {number}, the input {name!r}: expected {expected}, not {value!r:.80}")
        values.append(found)
    column = torch.tensor(values, dtype=torch.float64)
    return phases(column) if of["type"] == "datetime" else [column]


def read_number(value: Any, of: Config) -> float | None:
    """A number; None for anything else. Texts may have a currency, a percent sign, or thousands set apart."""
    if not isinstance(value, str):
        if isinstance(value, bool) or not isinstance(value, (int, float, Real)):
            return None
        return math.nan if value in of.get("missing_numbers", ()) else float(value)
    decimal = of.get("decimal", ".")
    grouped = rf"[+-]?[0-9]{{1,3}}(?:{SEPARATORS[decimal]}[0-9]{{3}})+(?:[{decimal}][0-9]*)?(?:[eE][+-]?[0-9]+)?"
    if re.fullmatch(NUMBER, value) and (decimal == "." or "." not in value or not re.fullmatch(grouped, value)):
        return float(value)
    text = value.replace("\u2212", "-")
    negative = re.fullmatch(r"\((.*)\)", text)  # as accountants write it
    text = re.sub(r"^([+-]?)\s*[$€£¥₹]\s*([+-]?)", r"\1\2", negative[1] if negative else text)
    text = re.sub(r"\s*[$€£¥₹%]$", "", text)
    if re.fullmatch(grouped, text):
        text = re.sub(SEPARATORS[decimal], "", text)
    text = ("-" if negative else "") + (text if decimal == "." else text.replace(",", ".", 1))
    return float(text) if re.fullmatch(NUMBER, text) else None


def read_category(value: Any, of: Config) -> float | None:
    """The position of a category, from 1; 0 for an unknown one."""
    if isinstance(value, (dict, list, tuple)):
        return None
    text, (exact, same) = as_text(value), positions(tuple(of["categories"]))
    return exact[text] if text in exact else same.get(meaning(text), 0.0)


@cache
def positions(categories: tuple[str, ...]) -> tuple[dict[str, float], dict[str, float]]:
    """The position of each category, and of the first one of each meaning."""
    placed = [(text, float(at)) for at, text in enumerate(categories, start=1)]
    return dict(placed), {meaning(text): at for text, at in reversed(placed)}


def meaning(text: str) -> str:
    """The same text for all ways to write a number or a boolean, such as 1, 1.0 and 1e0, or true and True."""
    bare = text.strip(SPACE)
    if len(bare) <= 28 and re.fullmatch(JSON_NUMBER, bare):
        return str(Decimal(bare).normalize() + 0)
    return bare.lower() if bare.lower() in ("true", "false") else bare


def as_text(value: Any) -> str:
    """A value as JSON writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)


def read_boolean(value: Any, of: Config) -> float | None:
    """1 for true, 0 for false."""
    return BOOLEANS.get(value.lower()) if isinstance(value, str) else float(value) if value in (0, 1) else None


def read_datetime(value: Any, of: Config) -> float | None:
    """Seconds since 1970."""
    form = of.get("date_format", "")
    if isinstance(value, date) or (form == "%Y%m%d" and isinstance(value, int)):
        value = value.isoformat() if isinstance(value, date) else str(value)
    if not isinstance(value, str):
        found = float(value) / PER_SECOND.get(form, 1.0) if type(value) is not bool else math.nan
    elif form in PER_SECOND and re.fullmatch(NUMBER, value):
        found = float(value) / PER_SECOND[form]
    else:
        matches = (re.match(pattern, value) for pattern in of["date_patterns"])
        times = (time_of(each.groupdict()) for each in matches if each)
        time = next(filter(None, times), None) or datetime.fromisoformat(value)  # which knows other forms of ISO 8601
        found = (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    return found if FIRST <= found < LAST else None


def time_of(given: Mapping[str, str | None]) -> datetime | None:
    """The time of the groups that a pattern in `date_patterns` has found; None if they are no time."""
    hour, minute, half, zone = int(given["H"] or 0), given["M"], given["p"], given["z"] or "Z"
    if (given["H"] and not (minute or half or given["z"])) or (half and not 1 <= hour <= 12):
        return None  # a single number after a date is no time of day
    if week_year := given.get("G"):
        day = date.fromisocalendar(int(week_year), int(given["V"] or 1), int(given.get("u") or 1))
    else:
        year = int(given.get("Y") or 1969 + (int(given.get("y") or 0) - 1969) % 100)
        month = MONTH_NAMES[name.lower()] if (name := given.get("b")) else int(given["m"] or 1)
        day = date(year, month, int(given.get("d") or 1))
    hour = hour % 12 + 12 * (half[0] in "Pp") if half else hour
    east = datetime.strptime((zone.replace(":", "") + "00")[:5], "%z").tzinfo if zone[0] in "+-" else UTC
    clock = (hour, int(minute or 0), int(given["S"] or 0), int((given["f"] or "0").ljust(6, "0")[:6]))
    return datetime(day.year, day.month, day.day, *clock, tzinfo=east)


def phases(time: Tensor) -> list[Tensor]:
    """Days since 2000, and the phases of the year, the week and the day as sine and cosine."""
    cycles = ((YEAR, 0.0), (7 * DAY, 4 * DAY), (DAY, 0.0))  # 1970-01-05 was a Monday
    angles = [2 * math.pi * ((time - start) % period / period) for period, start in cycles]
    return [(time - 30 * YEAR) / DAY, *(wave(each) for each in angles for wave in (torch.sin, torch.cos))]


READERS: dict[str, tuple[Callable[[Any, Config], float | None], str]] = {
    "number": (read_number, "a number"),
    "category": (read_category, "a text"),
    "boolean": (read_boolean, "true or false"),
    "datetime": (read_datetime, "a date or time"),
}
