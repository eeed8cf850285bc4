"""The log of predictions: which requests it keeps, what it does when there is too much, and that joining loses nothing."""

import os
from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from service.serving.served_version import ServedVersion
from service.use_cases.log_files import LogFiles
from service.use_cases.prediction_log import PredictionLog, is_kept
from service.workflow.signature import Input, Output, Signature
from service.workflow.tasks import Task

SIGNATURE = Signature(
    task=Task.REGRESSION, inputs=[Input(name="x", type="number")], outputs=[Output(name="y", type="number")]
)
VERSION = ServedVersion("digest", "line", 1)
shares = st.floats(0, 1, exclude_min=True)


def answer(log: PredictionLog, request: str, rows: int) -> None:
    """As a prediction does it."""
    record = log.begin(request)
    assert record is not None
    values = [[float(at)] for at in range(rows)]
    record.add(VERSION, SIGNATURE, values, np.array(values, np.float32))
    record.end()


def logged(folder: Path) -> pl.DataFrame:
    frames = [pl.read_parquet(path) for path in sorted((folder / "line" / "1").glob("*.parquet"))]
    return pl.concat(frames).sort("request_id", "row")


@given(st.text(), shares, shares)
def test_a_larger_share_keeps_what_a_smaller_one_keeps(request_id: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    assert is_kept(request_id, large) or not is_kept(request_id, small)
    assert is_kept(request_id, 1.0)


@given(st.integers(0, 2**32), st.floats(0.05, 0.95))
def test_a_share_of_the_requests_is_kept(first: int, share: float) -> None:
    kept = sum(is_kept(f"request {at}", share) for at in range(first, first + 2000))
    assert abs(kept / 2000 - share) < 0.07  # six standard deviations


def test_what_a_full_queue_cannot_take_is_dropped_and_counted(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, 1.0, 2**30, most_waiting=3000)
    answer(log, "a", 5)
    answer(log, "b", 50)
    answer(log, "c", 5)
    log.flush()
    assert logged(tmp_path)["request_id"].unique().sort().to_list() == ["a", "c"]
    assert (log.kept, log.dropped) == (10, 50)
    answer(log, "d", 5)  # there is room again
    assert set(log.find("line", {"d", "b"})) == {"d"}


def test_joined_files_have_every_row_once(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, 1.0, 2**30)
    for at in range(4):
        answer(log, f"request {at}", 3)
        log.flush()
    before, files = logged(tmp_path), LogFiles(tmp_path)
    log.files.join("s", "m")
    assert len(list((tmp_path / "line" / "1").glob("*.parquet"))) == 1
    assert logged(tmp_path).equals(before)
    assert [row.answer for row in files.find("line", {"request 2"})["request 2"].values()] == [[0.0], [1.0], [2.0]]


def test_the_oldest_files_beyond_the_bound_are_deleted(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, 1.0, 2**30)
    for at in range(3):
        answer(log, f"request {at}", 10)
        log.flush()
    paths = sorted((tmp_path / "line" / "1").glob("*.parquet"))
    for at, path in enumerate(paths):
        os.utime(path, (at, at))
    log.files.trim(paths[1].stat().st_size + paths[2].stat().st_size)
    assert sorted((tmp_path / "line" / "1").glob("*.parquet")) == paths[1:]
