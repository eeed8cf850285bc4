"""The evidence for a column's type is the same from a polars column and from single texts."""

from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from service.workflow.data.infer import evidence_for
from service.workflow.data.reading import ReadingOptions
from service.workflow.data.types.evidence import FEW, Evidence
from service.workflow.data.types.registry import COLUMN_TYPES
from tests.examples import examples

KINDS_OF_TEXTS: list[str | None] = [
    *("1", "2.5", " 3 ", "NA", "", " ", "inf", "01", "1,234", "$5", "20200113", "20201399", "2020-01-13", "13.01.2020"),
    *("yes", "no", "red", "9007199254740993", "1e400", "-999", "1/2/2020", "?", None),
]
TEXTS = st.sampled_from(KINDS_OF_TEXTS)


def seen(evidence: Evidence) -> dict[str, Any]:
    """The conclusions from the evidence."""
    counts = (
        "rows",
        "blank",
        "numbers",
        "formatted",
        "leading_zeros",
        "spaced",
        "missing",
        "texts",
        "many",
        "others",
        "large",
    )
    found = {name: getattr(evidence, name) for name in counts}
    fits = {name: kind.fits(evidence) for name, kind in COLUMN_TYPES.items()}
    return found | fits | {"date": evidence.date_format, "first": evidence.first_text}


@given(
    st.lists(TEXTS, min_size=1, max_size=6), st.integers(FEW + 1, 3 * FEW), st.sampled_from([".", ","]), st.booleans()
)
@settings(deadline=None, max_examples=examples(200))
def test_evidence_from_a_column_equals_evidence_from_its_texts(
    some: list[str | None], count: int, decimal: str, options: bool
) -> None:
    texts = [some[i * i % len(some)] for i in range(count)]
    reading = ReadingOptions(missing=["-999", "NA"]) if options else ReadingOptions()
    at_once, one_by_one = (evidence_for(reading, decimal, quoted=False) for _ in range(2))
    at_once.add(pl.Series("", texts, pl.String))
    one_by_one.add_texts(texts)
    assert seen(at_once) == seen(one_by_one)
