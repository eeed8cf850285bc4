"""No text of a CSV response is a formula in a spreadsheet, and our own reader reads it back."""

import csv
import io

import polars as pl
import pytest

from service.serving.codecs import formulas

TEXTS = ["=1+1", "+x", "-x", "@SUM(1)", "\tx", "\r=x", "-5", "+1.5e3", "a=b", "'quoted", "", "O'Brien", "=it's"]


def test_texts_that_begin_like_a_formula_are_prefixed_with_an_apostrophe() -> None:
    written = formulas.escape(pl.DataFrame({"label": TEXTS, "=x": range(len(TEXTS)), "-1": 0.5})).write_csv()
    head, *rows = csv.reader(io.StringIO(written, newline=""))
    assert head == ["label", "'=x", "-1"]
    assert [row[0] for row in rows] == [
        "'=1+1", "'+x", "'-x", "'@SUM(1)", "'\tx", "'\r=x", "-5", "+1.5e3", "a=b", "'quoted", "", "O'Brien", "'=it's"
    ]  # fmt: skip
    assert [formulas.unescape_name(each) for each in head] == ["label", "=x", "-1"]
    read = formulas.unescape(pl.DataFrame({"label": [row[0] for row in rows]}))
    assert read["label"].to_list() == TEXTS


@pytest.mark.parametrize(("rows", "there"), [(b"a,'=x\n", True), (b"'-x,1\n", True), (b"O'Brien,'a\n", False)])
def test_escaped_formulas_are_detected_in_the_raw_bytes(rows: bytes, there: bool) -> None:
    assert formulas.has_escaped(rows) is there
