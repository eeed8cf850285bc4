"""Common files are read as their owners would read them, or refused with advice."""

import math
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from service.workflow.data.read import read
from service.workflow.data.reading import ReadingOptions
from service.workflow.data.survey import survey
from service.workflow.data.table import RequestedColumn, Texts
from service.workflow.data.table_survey import Survey
from service.workflow.errors import InvalidData
from tests.workflow.corpus import (
    booleans,
    categories,
    columnar,
    dates,
    encodings,
    excel,
    headers,
    json_files,
    lines,
    missing,
    names,
    numbers,
    options,
    quotes,
    separators,
)
from tests.workflow.corpus.case import Case, Expected, Value

GROUPS = {
    "separators": separators.CASES,
    "missing": missing.CASES,
    "numbers": numbers.CASES,
    "encodings": encodings.CASES,
    "headers": headers.CASES,
    "lines": lines.CASES,
    "dates": dates.CASES,
    "booleans": booleans.CASES,
    "names": names.CASES,
    "quotes": quotes.CASES,
    "categories": categories.CASES,
    "json": json_files.CASES,
    "excel": excel.CASES,
    "columnar": columnar.CASES,
    "options": options.CASES,
}
ALL = [(f"{group}/{case.name}", case) for group, cases in GROUPS.items() for case in cases]
READ = [pytest.param(case, id=name) for name, case in ALL if case.error is None]
REFUSED = [pytest.param(case, id=name) for name, case in ALL if case.error is not None]
LABELLED = [pytest.param(case, id=name) for name, case in ALL if any(each.labels is not None for each in case.columns)]
MICROSECOND = 1e-6


@pytest.mark.parametrize("case", READ)
def test_a_file_is_read_as_its_owner_would_read_it(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(case.file)
    found = survey(path, case.media_type, ReadingOptions.model_validate(case.options))
    orjson.dumps([found.schema.model_dump(mode="json"), found.head], default=str)  # as returned from the child process
    columns = found.schema.columns
    assert found.schema.names == [each.name for each in case.columns]
    types = [one.type for one, other in zip(columns, case.columns, strict=True) if other.type is not None]
    assert types == [each.type for each in case.columns if each.type is not None]
    assert [each.name for each in columns if each.counts_rows] == [each.name for each in case.columns if each.index]
    assert reading_of(found, case) == case.reading
    for pattern in case.notes:
        assert any(re.search(pattern, note, re.IGNORECASE) for note in found.notes), (pattern, found.notes)
    assert not (case.quiet and found.notes), found.notes
    for expected, column in zip(case.columns, columns, strict=True):
        if expected.values is not None:
            assert found.schema.rows == len(expected.values)
            assert column.missing == list(expected.values).count(None), expected.name
        elif expected.type is None:
            assert column.missing == found.schema.rows
    wanted = {
        each.name: RequestedColumn(each.type, exact=True)
        for each in case.columns
        if each.type is not None and each.type != "unsupported"
    }
    made = read(path, found.media_type, found.schema, wanted, scratch=tmp_path)
    for expected in case.columns:
        if expected.values is not None:
            same(expected, made.columns[expected.name], expected.values)


@pytest.mark.parametrize("case", LABELLED)
def test_labels_are_those_of_the_file(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(case.file)
    found = survey(path, case.media_type, ReadingOptions.model_validate(case.options))
    labelled = {each.name: RequestedColumn("category") for each in case.columns if each.labels is not None}
    made = read(path, found.media_type, found.schema, labelled, scratch=tmp_path)
    for expected in case.columns:
        if expected.labels is not None:
            same(expected, made.columns[expected.name], expected.labels)


@pytest.mark.parametrize("case", REFUSED)
def test_an_unreadable_file_is_refused_with_advice(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(case.file)
    with pytest.raises(InvalidData) as refusal:
        survey(path, case.media_type, ReadingOptions.model_validate(case.options))
    assert re.search(case.error or "", str(refusal.value)), str(refusal.value)


def test_names_of_cases_are_unique() -> None:
    counted = Counter(name for name, _ in ALL)
    assert [name for name, count in counted.items() if count > 1] == []


def reading_of(found: Survey, case: Case) -> dict[str, Any]:
    """The part of the reading that the case describes."""
    whole = found.schema.reading.model_dump(mode="json")
    return {name: whole[name] for name in case.reading}


def same(expected: Expected, found: Any, values: Any) -> None:
    """Whether the column has these values."""
    if isinstance(found, Texts):
        made: list[Any] = [None if code < 0 else found.values[code] for code in found.codes]
        assert made == list(values), expected.name
        return
    made = [None if math.isnan(value) else float(value) for value in found]
    assert len(made) == len(values), expected.name
    for row, (one, other) in enumerate(zip(made, map(as_number, values), strict=True)):
        close = one == other or (one is not None and other is not None and abs(one - other) <= tolerance(expected))
        assert close, (expected.name, row, one, other)


def tolerance(expected: Expected) -> float:
    """Numbers must be exact; times may differ by a rounded microsecond."""
    return MICROSECOND if expected.type == "datetime" else 0.0


def as_number(value: Value) -> float | None:
    """The value as a table stores it: seconds since 1970 for a time, 0 and 1 for booleans."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=UTC).timestamp()
    return None if value is None else float(value)
