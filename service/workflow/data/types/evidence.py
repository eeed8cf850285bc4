"""What the texts of a column look like, gathered batch by batch: from this each type of columns tells whether it fits.

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

MOST_TEXTS = 20_000  # different ones that are kept of a column
FEW = 100  # rows
TRIED = 200  # texts of a batch on which every form of dates is tried, before the whole batch is
DAY = "%Y%m%d"  # a form of dates whose texts are numbers, too
_DAY_DIGITS = r"^(?:19|20)[0-9]{6}$"


@dataclass
class Evidence:
    """Of one column. Texts come without the spaces around them; `missing` words are set apart."""

    missing_words: frozenset[str]
    decimal: str
    rows: int = 0
    blank: int = 0
    numbers: int = 0  # texts that are finite numbers, as programs or as people write them
    formatted: int = 0  # of these, as people do
    leading_zeros: int = 0
    days: int = 0  # numbers of eight digits that are days
    spaced: bool = False  # whether a text has spaces around it
    missing: Counter[str] = field(default_factory=Counter)
    texts: Counter[str] = field(default_factory=Counter)  # that are no numbers
    many: bool = False  # whether there are more of them than are kept
    others_seen: int = 0  # texts that are no numbers
    text_rows: dict[str, int] = field(default_factory=dict)  # the first row of each
    first_number: tuple[int, str] | None = None
    not_a_date: tuple[int, str] | None = None  # the text at which the last form of dates was given up
    date_formats: list[str] | None = None  # that still fit; None before the first text
    huge: tuple[int, str] | None = None  # a number beyond float64
    examples: list[str] = field(default_factory=list)
    large: bool = False  # whether a whole number is beyond those that a float64 holds exactly
    quoted: bool = False  # whether the format tells texts from numbers, so that a text is one whatever it looks like
    typed: int = 0  # values of such a format that are no texts
    nested: bool = False  # whether there are lists or objects among the values

    @property
    def others(self) -> int:
        """Cells that are neither empty nor a word for a missing value."""
        return self.numbers + self.others_seen

    @property
    def first_text(self) -> tuple[int, str] | None:
        """The first text that is no number, with its row."""
        return next(((row, text) for text, row in self.text_rows.items()), None)

    @property
    def date_format(self) -> str | None:
        """The form of dates that all of them have, if there is one."""
        if self.numbers:
            return DAY if not self.others_seen and self.days == self.numbers and not self.formatted else None
        return self.date_formats[0] if self.date_formats else None

    def add(self, series: "pl.Series") -> None:
        """More rows of the column, as texts."""
        import polars as pl

        if len(series) <= FEW:  # sooner done one by one
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
        direct = frame["text"].cast(pl.Float64, strict=False) if self.decimal == "." else None
        if direct is None:
            odd = frame
        else:
            plain = direct.is_finite().fill_null(False)
            self._add_numbers(frame.with_columns(value=direct).filter(plain))
            odd = frame.filter(~plain)
        if len(odd):
            counted = odd.group_by("text", maintain_order=True).agg(pl.len().alias("count"), pl.col("row").first())
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
        if self.days == self.numbers:  # all so far were
            shaped = texts.filter(texts.str.contains(_DAY_DIGITS))
            if len(shaped) == len(texts):
                self.days += int((~np.isnan(seconds_of(shaped, DAY))).sum())
        self.numbers += len(frame)

    def _without_missing(self, frame: "pl.DataFrame") -> "pl.DataFrame":
        """Without numbers that somebody has named as words for a missing value; these are counted."""
        words = [word for word in self.missing_words if number_of(word, self.decimal) is not None]
        if not words:
            return frame
        named = frame["text"].is_in(words)
        for word, count in frame["text"].filter(named).value_counts().iter_rows():
            self.missing[word] += count
        return frame.filter(~named)

    def add_typed(self, values: Sequence[Any], *, is_number: bool) -> None:
        """Numbers, or true and false, of a format that tells them from texts; None where a value is missing."""
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
        """The same for texts that are no column of polars."""
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
        """Different texts, each with how often it comes and its first row."""
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
        """Gives up every form of dates that one of these texts does not have."""
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
    """Whether it is a number that no float64 can hold."""
    try:
        return bool(re.match(r"^[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?$", text)) and math.isinf(float(text))
    except ValueError:
        return False
