"""Counts of the forms of a column's texts, from which the type of the column is inferred.

Numbers are only counted. Other texts are kept while they are few; dates are tried in every form until one is left.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from service.workflow.data.types.date_formats import DATES, seconds, seconds_of
from service.workflow.data.types.how import SPACE
from service.workflow.data.types.number import EXACT, LEADING_ZERO, number_of

if TYPE_CHECKING:
    import polars as pl

MOST_TEXTS = 20_000  # distinct ones that are kept of a column
FEW = 100  # rows
TRIED = 200  # texts of a batch that are compared with every format of dates before all of them are
DAY = "%Y%m%d"  # a format of dates whose texts are also numbers
_DAY_DIGITS = r"^(?:19|20)[0-9]{6}$"


@dataclass
class Evidence:
    """The evidence of one column. Texts are without surrounding spaces; words for missing values are counted in `missing`."""

    missing_words: frozenset[str]
    decimal: str
    rows: int = 0
    blank: int = 0
    numbers: int = 0  # texts that are finite numbers
    formatted: int = 0  # of these, with separators, a currency and the like
    leading_zeros: int = 0
    days: int = 0  # of these, with eight digits that are a date
    spaced: bool = False  # whether a text has spaces around it
    missing: Counter[str] = field(default_factory=Counter)
    texts: Counter[str] = field(default_factory=Counter)  # that are not numbers
    many: bool = False  # whether there are more of them than `MOST_TEXTS`
    others_seen: int = 0  # texts that are not numbers
    text_rows: dict[str, int] = field(default_factory=dict)  # the first row of each text
    first_number: tuple[int, str] | None = None
    not_a_date: tuple[int, str] | None = None  # the text that excluded the last format of dates
    date_formats: list[str] | None = None  # that fit all texts so far; None before the first text
    huge: tuple[int, str] | None = None  # the first number beyond float64
    examples: list[str] = field(default_factory=list)
    large: bool = False  # whether a number is at least `EXACT`
    quoted: bool = False  # whether the file format distinguishes texts from numbers
    typed: int = 0  # values of such a format that are not texts
    nested: bool = False  # whether there is a list or an object

    @property
    def others(self) -> int:
        """The number of cells that are not missing."""
        return self.numbers + self.others_seen

    @property
    def first_text(self) -> tuple[int, str] | None:
        """The first text that is not a number, with its row."""
        return next(((row, text) for text, row in self.text_rows.items()), None)

    @property
    def date_format(self) -> str | None:
        """The format of dates that all cells have, if there is one."""
        if self.numbers:
            return DAY if not self.others_seen and self.days == self.numbers and not self.formatted else None
        return self.date_formats[0] if self.date_formats else None

    def add(self, series: "pl.Series") -> None:
        """Adds rows of the column as texts."""
        import polars as pl

        if len(series) <= FEW:  # faster one by one
            self.add_texts(series.to_list())
            return
        bare = series.str.strip_chars(SPACE)
        self.spaced = self.spaced or bool((bare != series).any())
        there = bare.is_not_null() & (bare != "").fill_null(False)
        self.blank += len(series) - int(there.sum())
        frame = pl.DataFrame({"text": bare, "row": pl.int_range(self.rows, self.rows + len(series), eager=True)})
        self.rows += len(series)
        frame = frame.filter(there)
        if len(self.examples) < 3:
            self._show(frame["text"].head(50).to_list())
        if self.decimal == ".":
            value = frame["text"].cast(pl.Float64, strict=False)
            plain = value.is_finite().fill_null(False)
            self._add_numbers(frame.with_columns(value=value).filter(plain))
            frame = frame.filter(~plain)
        if len(frame):
            counted = frame.group_by("text", maintain_order=True).agg(pl.len().alias("count"), pl.col("row").first())
            self._add_texts(counted.iter_rows(), counted["text"])

    def _show(self, texts: Iterable[str]) -> None:
        for text in texts:
            if text not in self.examples and text not in self.missing_words and len(self.examples) < 3:
                self.examples.append(text[:60])

    def _add_numbers(self, frame: "pl.DataFrame") -> None:
        """Plain numbers: each text with its row and its value."""
        frame = self._without_missing(frame)
        if not len(frame):
            return
        texts = frame["text"]
        if self.first_number is None:
            self.first_number = (int(frame["row"][0]), str(texts[0]))
        self.leading_zeros += int(texts.str.contains(LEADING_ZERO).sum())
        self.large = self.large or bool((frame["value"].abs() >= EXACT).any())
        if self.days == self.numbers:  # all numbers so far
            shaped = texts.filter(texts.str.contains(_DAY_DIGITS))
            if len(shaped) == len(texts):
                self.days += int((~np.isnan(seconds_of(shaped, DAY))).sum())
        self.numbers += len(frame)

    def _without_missing(self, frame: "pl.DataFrame") -> "pl.DataFrame":
        """Counts and removes the numbers that are words for a missing value."""
        if not (words := _numbers_among(self.missing_words)):
            return frame
        named = frame["text"].is_in(list(words))
        for word, count in frame["text"].filter(named).value_counts().iter_rows():
            self.missing[word] += count
        return frame.filter(~named)

    def add_typed(self, values: Sequence[Any], *, is_number: bool) -> None:
        """Adds rows of numbers, or of booleans, from a format with types; None for a missing value."""
        words = _numbers_among(self.missing_words) if is_number else {}
        for word, number in words.items():
            self.missing[word] += values.count(number)
        absent = {None, *words.values()}
        present = [value for value in values if value not in absent]
        self.blank += values.count(None)
        self.typed += len(present)
        self._show(map(str, present[:50]))
        if present:
            row = self.rows + next(at for at, value in enumerate(values) if value not in absent)
            if is_number:
                self.numbers += len(present)
                self.first_number = self.first_number or (row, str(present[0]))
            else:
                for value in (True, False):
                    self._add_text(str(value).lower(), present.count(value), row)
                self.date_formats, self.not_a_date = [], self.not_a_date or (row, str(present[0]).lower())
        self.rows += len(values)

    def add_texts(self, texts: Sequence[str | None]) -> None:
        """`add` without polars."""
        counted: dict[str, list[int]] = {}
        for text in texts:
            bare = "" if text is None else text.strip(SPACE)
            self.spaced = self.spaced or (text is not None and bare != text)
            if not bare:
                self.blank += 1
            elif bare in counted:
                counted[bare][0] += 1
            else:
                counted[bare] = [1, self.rows]
            self.rows += 1
        self._show(islice(counted, 50))
        self._add_texts(((text, count, row) for text, (count, row) in counted.items()), None)

    def _add_texts(self, counted: Iterable[tuple[str, int, int]], series: "pl.Series | None") -> None:
        """Distinct texts, each with its count and its first row."""
        left: list[str] = []
        rows: dict[str, int] = {}
        for text, count, row in counted:
            if text in self.missing_words:
                self.missing[text] += count
            elif (value := number_of(text, self.decimal)) is not None:
                self._add_number(text, value, count, row)
            else:
                if self.huge is None and _beyond(text):
                    self.huge = (row, text)
                self._add_text(text, count, row)
                left.append(text)
                rows[text] = row
        if left:
            self._try_dates(left, rows, series is not None)

    def _add_number(self, text: str, value: float, count: int, row: int) -> None:
        self.numbers += count
        self.large = self.large or abs(value) >= EXACT
        if self.first_number is None:
            self.first_number = (row, text)
        if re.match(LEADING_ZERO, text):
            self.leading_zeros += count
        if not _is_plain(text.replace(",", ".") if self.decimal == "," else text):
            self.formatted += count
        elif re.match(_DAY_DIGITS, text) and seconds(text, DAY) is not None:
            self.days += count

    def _add_text(self, text: str, count: int, row: int) -> None:
        if not count:
            return
        self.others_seen += count
        if text in self.texts or len(self.texts) < MOST_TEXTS:
            self.texts[text] += count
            self.text_rows.setdefault(text, row)
        else:
            self.many = True

    def _try_dates(self, texts: list[str], rows: dict[str, int], by_column: bool) -> None:
        """Excludes every format of dates that does not fit one of these texts."""
        left = list(DATES) if self.date_formats is None else self.date_formats
        for text in texts[:TRIED] if by_column else texts:
            left = self._that_fit(left, text, rows)
            if not left:
                break
        if left and by_column and len(texts) > TRIED:
            import polars as pl

            rest = pl.Series("text", texts[TRIED:])
            for name in list(left):
                wrong = np.isnan(seconds_of(rest, name))
                if wrong.any():
                    left = self._that_fit(left, str(rest[int(wrong.argmax())]), rows)
        self.date_formats = left

    def _that_fit(self, names: list[str], text: str, rows: dict[str, int]) -> list[str]:
        left = [name for name in names if seconds(text, name) is not None]
        if names and not left:
            self.not_a_date = (rows[text], text)
        return left


@lru_cache(maxsize=16)
def _numbers_among(words: frozenset[str]) -> dict[str, float]:
    return {word: value for word in words if (value := number_of(word, ".")) is not None}


def _is_plain(text: str) -> bool:
    try:
        return math.isfinite(float(text)) and "_" not in text and text.isascii()
    except ValueError:
        return False


def _beyond(text: str) -> bool:
    """Whether a text is a number that no float64 can hold."""
    try:
        return bool(re.match(r"^[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?$", text)) and math.isinf(float(text))
    except ValueError:
        return False
