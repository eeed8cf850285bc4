"""Column types: reading a whole column (polars) equals reading its texts one by one (Python), and values round-trip."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.workflow.data.table import RequestedColumn, Texts
from service.workflow.data.types.date_formats import COUNTED, DATES, seconds, seconds_of
from service.workflow.data.types.how import How
from service.workflow.data.types.names import TypeName
from service.workflow.data.types.number import number_of
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.data.values import InvalidValue, column
from tests.examples import examples

BLANKS = st.sampled_from(["", " ", "\t", "\u00a0"])
MISSING = frozenset({"NA", "?", "-999"})


def one_by_one(kind: TypeName, texts: Sequence[str | None], how: How) -> list[Any]:
    """Each text read by itself; None where it is no value of the type."""
    found: list[Any] = []
    for text in texts:
        try:
            found.append(None if text is None else COLUMN_TYPES[kind].from_text(text, how))
        except ValueError:
            found.append(None)
    return found


def at_once(kind: TypeName, texts: Sequence[str | None], how: How) -> list[Any]:
    """All texts read as a column."""
    return COLUMN_TYPES[kind].parse(pl.Series("", texts, pl.String), how).to_list()


def number_texts() -> st.SearchStrategy[str]:
    digits = st.integers(0, 10**12).map(str)
    grouped = st.integers(0, 10**12).map(lambda n: f"{n:,}")
    fraction = st.sampled_from(["", ".5", ",5", ".", ",25", ".e5", "e5", "E-3", "e400"])
    sign, end = st.sampled_from(["", "-", "+", "$", "-$", "€ ", "("]), st.sampled_from(["", "%", " %", " €", ")"])
    whole = st.one_of(digits, grouped, grouped.map(lambda text: text.replace(",", ".")))
    made = st.tuples(sign, whole, fraction, end).map("".join)
    return st.one_of(
        made, st.text("0123456789.,-+eE $%_nainf ", max_size=8), st.sampled_from(["nan", "inf", "1_0", "0x1", "١"])
    )


@given(st.lists(st.tuples(BLANKS, number_texts(), BLANKS).map("".join), max_size=20), st.sampled_from([".", ","]))
@settings(deadline=None, max_examples=examples(300))
def test_numbers_of_a_column_equal_those_of_its_texts(texts: list[str], decimal: str) -> None:
    how = How(MISSING, decimal)
    assert at_once("number", texts, how) == one_by_one("number", texts, how)


@given(
    st.lists(st.integers(-(2**1100), 2**1100) | st.floats(allow_nan=False) | st.sampled_from([None, -999, True, "7"]))
)
@settings(deadline=None, max_examples=examples(100))
def test_numbers_of_json_read_together_equal_those_read_one_by_one(values: list[Any]) -> None:
    how, wanted = How(MISSING), RequestedColumn("number", exact=True)

    def numbers(of: list[Any]) -> list[float]:
        try:
            return [float(each) for each in column(of, wanted, how)]  # type: ignore[union-attr]
        except InvalidValue:
            return []

    alone = [numbers([each, "7"])[:1] for each in values]  # a text makes it and its neighbours be read one by one
    expected = [each[0] for each in alone if each] if all(alone) else []
    assert str(numbers(values)) == str(expected)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_printed_floats_are_read_back_exactly(value: float) -> None:
    assert number_of(repr(value), ".") == value
    assert number_of(repr(value).replace(".", ","), ",") == value
    assert number_of(f"{value:.6e}", ".") == float(f"{value:.6e}")


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        ("1,234.5", ".", 1234.5),
        ("1.234,5", ",", 1234.5),
        ("1.234", ",", 1234.0),
        ("1.5", ",", 1.5),
        ("1 234,5", ",", 1234.5),
        ("1'234.5", ".", 1234.5),
        ("$12", ".", 12.0),
        ("-$12.50", ".", -12.5),
        ("(1,000)", ".", -1000.0),
        ("30.9 %", ".", 30.9),
        ("\u22125", ".", -5.0),
        ("1,5", ".", None),
        ("12,34,567", ".", None),
        ("555 123", ".", None),
        ("1e400", ".", None),
        ("$", ".", None),
        ("--1", ".", None),
    ],
)
def test_common_notations_of_numbers(text: str, decimal: str, value: float | None) -> None:
    assert number_of(text, decimal) == value


def date_texts() -> st.SearchStrategy[str]:
    moments = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001 - written without a zone
    forms = st.sampled_from([each if each != DATES[0] else "%Y-%m-%d" for each in DATES])
    times = st.sampled_from(["", " %H:%M", "T%H:%M:%S", " %I:%M %p", " %H:%M:%S.%f", " %H"])
    zones = st.sampled_from(["", "Z", " UTC", "+02:00", " -0530", "+99:00"])
    made = st.tuples(moments, forms, times, zones).map(lambda each: each[0].strftime(each[1] + each[2]) + each[3])
    return st.one_of(
        made, st.text("0123456789-/.: TZJanMay", max_size=12), st.sampled_from(["2020-02-30", "31.04.2020"])
    )


@given(st.lists(date_texts().map(str.strip), min_size=1, max_size=10), st.sampled_from([*DATES, *COUNTED]))
@settings(deadline=None, max_examples=examples(300))
def test_dates_of_a_column_equal_those_of_its_texts(texts: list[str], form: str) -> None:
    found = [None if math.isnan(each) else each for each in seconds_of(pl.Series("", texts), form).tolist()]
    assert found == [seconds(text, form) for text in texts]


@given(st.datetimes(datetime(1970, 1, 1), datetime(2068, 1, 1)), st.sampled_from(DATES))  # noqa: DTZ001
def test_a_formatted_date_is_read_back(moment: datetime, form: str) -> None:
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=UTC)
    if "%d" not in form and "%u" not in form and form != DATES[0]:
        day = (
            day.replace(day=1)
            if "%V" not in form
            else datetime.fromisocalendar(*day.isocalendar()[:2], 1).replace(tzinfo=UTC)
        )
    text = day.strftime("%Y-%m-%d" if form == DATES[0] else form)
    assert seconds(text, form) == day.timestamp()
    clock = moment.replace(tzinfo=UTC)
    if day.date() == clock.date():
        assert seconds(f"{text} {clock:%H:%M:%S.%f}", form) == clock.timestamp()
        assert seconds(f"{text} {clock:%I:%M:%S %p}", form) == clock.replace(microsecond=0).timestamp()


@given(st.lists(st.sampled_from(["yes", "No", "TRUE", "f", "Y", "1", "0", "2", "NA", "", " t ", "maybe"]), max_size=12))
def test_booleans_of_a_column_equal_those_of_its_texts(texts: list[str]) -> None:
    how = How(MISSING)
    assert at_once("boolean", texts, how) == one_by_one("boolean", texts, how)


@given(st.lists(st.none() | st.text("aN A?é\t", max_size=4), max_size=12), st.booleans())
def test_categories_of_a_column_equal_those_of_its_texts(texts: list[str | None], trim: bool) -> None:
    how = How(MISSING if trim else frozenset(), trim=trim)
    expected = one_by_one("category", texts, how) if trim else texts
    assert at_once("category", texts, how) == expected


@pytest.mark.parametrize(
    ("category", "text"),
    [("1", "1.0"), ("1.0", "1"), ("1", " 1 "), ("true", "True"), ("TRUE", "true"), ("1e3", "1000"), ("-0.5", "-0.50")],
)
def test_equivalent_texts_are_one_category(category: str, text: str) -> None:
    column = Texts(np.array([0, -1]), [text])
    (found,) = COLUMN_TYPES["category"].encode(column, ["other", category])
    assert found[0] == 2
    assert np.isnan(found[1])


@pytest.mark.parametrize(
    ("category", "text"), [("1", "01"), ("01", "1"), ("a", "A"), ("1", "1,0"), ("9007199254740993", "9007199254740992")]
)
def test_different_texts_are_different_categories(category: str, text: str) -> None:
    (found,) = COLUMN_TYPES["category"].encode(Texts(np.array([0]), [text]), [category])
    assert found[0] == 0
