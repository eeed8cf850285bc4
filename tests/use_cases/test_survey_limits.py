"""Limits of memory, time and size for the survey of an uploaded file."""

import asyncio
import json
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from model_store import Store
from service.use_cases import upload_dataset
from service.use_cases.upload_dataset import HEAD, MOST_AT_ONCE, Surveys, TooManySurveys, first_rows
from service.workflow.data import survey_limits
from service.workflow.data.reading import ReadingOptions
from service.workflow.data.survey import survey
from service.workflow.errors import InvalidData

PARQUET = "application/vnd.apache.parquet"


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.parquet"
    pl.Series("t", ["x" * 4_000_000]).new_from_index(0, 1000).to_frame().write_parquet(path)
    assert path.stat().st_size < 10_000
    with pytest.raises(InvalidData, match=r"memory \(1536 MiB\)"):
        asyncio.run(Surveys().survey(path, PARQUET, ReadingOptions(), 2**30))


def test_the_survey_of_a_table_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey_limits, "MOST_VALUE_BYTES", 100_000)
    monkeypatch.setattr(survey_limits, "MOST_HEAD_BYTES", 100_000)
    path = tmp_path / "wide.csv"
    rows = [[f"{at * 7919 % 997 / 7 + column}" for column in range(50)] for at in range(200)]
    texts = [str(at % 300) + "y" * 1500 for at in range(200)]
    lines = [",".join([text, *row]) for text, row in zip(texts, rows, strict=True)]
    names = ",".join(["text", *(f"column {at} {'n' * 100}" for at in range(50))])
    path.write_text("\n".join([names, *lines, ""]))
    found = survey(path, "text/csv")
    values = [orjson.dumps(each.values) for each in found.schema.columns if each.values is not None]
    assert 0 < sum(map(len, values)) <= 100_000
    assert len(values) < 50
    assert found.schema.columns[0].values is None  # 300 KB of texts are too large
    assert found.schema.columns[0].statistics["distinct"] == 200
    assert 0 < len(orjson.dumps(found.head)) <= 100_000
    assert len(found.head) < 200


def test_a_long_first_row_is_shortened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey_limits, "MOST_HEAD_BYTES", 10_000)
    path = tmp_path / "long.jsonl"
    path.write_bytes(orjson.dumps({f"c{at}": "z" * 1000 for at in range(50)}) + b"\n")
    (row,) = survey(path, "application/x-ndjson").head
    assert set(row.values()) == {"z" * 60}


def test_first_rows_stored_without_a_limit_are_read_up_to_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, data, head = Store.open(tmp_path / "store"), tmp_path / "body", tmp_path / HEAD
    rows = [{"at": at, "text": "é" * 100} for at in range(1000)]
    data.write_bytes(b"")
    head.write_bytes(orjson.dumps(rows))
    version = store.datasets.publish("t", {"format": 2}, {HEAD: head})
    assert first_rows(store, version, 3) == rows[:3]
    monkeypatch.setattr(upload_dataset, "MOST_HEAD_BYTES", 10_000)
    assert first_rows(store, version, 3) == rows[:3]
    found = first_rows(store, version, 1000)
    assert found == rows[: len(found)] and 10 < len(found) < 100


def test_concurrent_and_waiting_surveys_are_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    running_counts: list[int] = []
    running = 0

    async def read(*_: Any) -> dict[str, Any]:
        nonlocal running
        running += 1
        running_counts.append(running)
        await asyncio.sleep(0)
        running -= 1
        return {}

    monkeypatch.setattr(upload_dataset, "_survey", read)
    monkeypatch.setattr(upload_dataset, "MOST_WAITING", 5)

    async def survey_all() -> list[Any]:
        surveys = Surveys()
        surveys_ = [surveys.survey(tmp_path, "", ReadingOptions(), 1) for _ in range(20)]
        answers: list[Any] = await asyncio.gather(*surveys_, return_exceptions=True)
        return answers

    answers = asyncio.run(survey_all())
    assert max(running_counts) == MOST_AT_ONCE
    assert json.dumps([type(each).__name__ for each in answers]).count(TooManySurveys.__name__) == 13
