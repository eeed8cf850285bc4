"""The tensors of a version on a store with remote files: what is read, and what is noticed."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from model_store import Store, Version
from model_store.errors import VersionCorrupt, VersionNotFound
from service.use_cases import inspect_tensors
from service.use_cases.attempt_store import STATE_DICT, TENSORS
from service.workflow.errors import InvalidRows, NotAvailable
from service.workflow.inspection import ParameterSummary, TensorSummary
from service.workflow.tensor_header import read_header
from tests.model_store.memory_backend import MemoryBackend
from tests.model_store.source_files import source_files
from tests.workflow.ranges import Ranges

WEIGHT = torch.arange(2_000_000, dtype=torch.float32).reshape(-1, 2)
DATA = save({"weight": WEIGHT, "scale": torch.tensor(2.0), "steps": torch.arange(3)})
PARAMETER = ParameterSummary(name="weight", requires_grad=True, mean=1, std=2, min=3, max=4)


class Requests(MemoryBackend):
    """Records what is read: keys, and ranges of keys."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[str] = []

    def read(self, key: str) -> bytes:
        self.made.append(key.split("/")[-1])  # the name of a summary
        return super().read(key)

    def names(self, prefix: str) -> list[str]:
        self.made.append(f"list of {prefix.removeprefix('models/line/')}")
        return super().names(prefix)

    def read_range(self, key: str, start: int, stop: int) -> bytes:
        self.made.append(f"{stop - start} bytes")
        return super().read_range(key, start, stop)


@pytest.fixture
def backend() -> Requests:
    return Requests()


@pytest.fixture
def store(backend: Requests) -> Store:
    return Store(backend)


def publish(store: Store, folder: Path, summary: dict[str, Any] | None, data: bytes = DATA) -> Version:
    summaries = {} if summary is None else {TENSORS: summary}
    files = source_files(folder, {STATE_DICT: data})
    return store.models.publish_once("line", {"format": 1}, files, key=None, summaries=summaries)[0]


@pytest.fixture
def summary() -> dict[str, Any]:
    header = read_header(Ranges(DATA), len(DATA))
    return TensorSummary(header=header.sha256, parameters=[PARAMETER]).model_dump()


def test_a_list_of_a_version_that_nobody_has_opened_takes_six_requests(
    store: Store, backend: Requests, summary: dict[str, Any], tmp_path: Path
) -> None:
    publish(store, tmp_path, summary)
    other = Store(backend)
    backend.made.clear()
    assert inspect_tensors.parameters(other, other.resolve("line", "1"), statistics=False) is not None
    found = ["1", "list of uses/1", "list of marks/uses/1", "manifest.json"]  # the record, and no tombstone
    assert backend.made == [*found, TENSORS, "65536 bytes"]


def test_a_list_takes_two_requests_and_rows_a_third(
    store: Store, backend: Requests, summary: dict[str, Any], tmp_path: Path
) -> None:
    version = publish(store, tmp_path, summary)
    for statistics in (False, True):
        backend.made.clear()
        listed = inspect_tensors.parameters(store, version, statistics=statistics)
        assert backend.made == [TENSORS, "65536 bytes"]
        expected = {
            "name": "weight",
            "shape": [10**6, 2],
            "dtype": "float32",
            "requires_grad": True,
            "count": 2 * 10**6,
        }
        assert listed is not None
        assert listed["parameters"] == [
            {**expected, **({"mean": 1, "std": 2, "min": 3, "max": 4} if statistics else {})}
        ]
    backend.made.clear()
    assert inspect_tensors.rows(store, version, "weight", 5, 7).tolist() == [[10, 11], [12, 13]]
    assert backend.made == [TENSORS, "65536 bytes", "16 bytes"]
    assert backend.fetched == 0


def test_rows_that_do_not_exist_are_refused(store: Store, summary: dict[str, Any], tmp_path: Path) -> None:
    version = publish(store, tmp_path, summary)
    for first, last in ((0, 0), (3, 3), (10**6, 10**6)):
        assert inspect_tensors.rows(store, version, "weight", first, last).shape == (0, 2)
    for first, last in ((2, 1), (0, 10**6 + 1), (10**17, 10**18)):
        with pytest.raises(InvalidRows, match="has 1000000 rows; expected two numbers from 0 to 1000000"):
            inspect_tensors.rows(store, version, "weight", first, last)
    with pytest.raises(InvalidRows, match="single value"):
        inspect_tensors.rows(store, version, "scale", 0, 1)
    with pytest.raises(NotAvailable, match="weight"):
        inspect_tensors.rows(store, version, "wieght", 0, 1)


def test_more_rows_than_one_answer_may_have(
    store: Store, summary: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = publish(store, tmp_path, summary)
    monkeypatch.setattr(inspect_tensors, "MOST_ROWS_BYTES", 83)
    with pytest.raises(InvalidRows, match="expected at most 10 rows"):
        inspect_tensors.rows(store, version, "weight", 0, 11)
    assert len(inspect_tensors.rows(store, version, "weight", 0, 10)) == 10


def damaged_header(data: bytes) -> bytes:
    return data.replace(b'"scale"', b'"skale"')


def no_header(data: bytes) -> bytes:
    return b"\xff" * 8 + data[8:]


@pytest.mark.parametrize("change", [damaged_header, no_header])
def test_a_damaged_header_is_noticed(
    store: Store, backend: Requests, summary: dict[str, Any], tmp_path: Path, change: Any
) -> None:
    version = publish(store, tmp_path, summary)
    (key,) = backend.keys(version.file(STATE_DICT)["sha256"])
    backend.replace(key, change(DATA))
    for ask in (
        lambda: inspect_tensors.parameters(store, version, statistics=True),
        lambda: inspect_tensors.parameters(store, version, statistics=False),
        lambda: inspect_tensors.rows(store, version, "weight", 0, 1),
    ):
        with pytest.raises(VersionCorrupt):
            ask()


def test_rows_of_a_file_that_was_cut_off_or_is_lost(
    store: Store, backend: Requests, summary: dict[str, Any], tmp_path: Path
) -> None:
    version = publish(store, tmp_path, summary)
    (key,) = backend.keys(version.file(STATE_DICT)["sha256"])
    stop = read_header(Ranges(DATA), len(DATA)).tensors["weight"].stop
    backend.replace(key, DATA[: stop - 1])
    assert len(inspect_tensors.rows(store, version, "weight", 0, 10)) == 10
    with pytest.raises(VersionCorrupt):
        inspect_tensors.rows(store, version, "weight", 10**6 - 1, 10**6)
    backend.delete(key)
    with pytest.raises(VersionCorrupt):
        inspect_tensors.parameters(store, version, statistics=False)
    publish(store, tmp_path, summary, b"others")
    store.models.delete("line", 1)
    with pytest.raises(VersionNotFound):
        inspect_tensors.parameters(store, version, statistics=False)


@pytest.mark.parametrize("kept", [None, {}, {"header": 1}, {"header": "", "parameters": [], "more": 1}])
def test_without_a_summary_that_can_be_read_the_statistics_have_to_be_computed(
    store: Store, tmp_path: Path, kept: dict[str, Any] | None
) -> None:
    version = publish(store, tmp_path, kept)
    assert inspect_tensors.parameters(store, version, statistics=True) is None
    with pytest.raises(VersionCorrupt):  # its manifest has no spec
        inspect_tensors.parameters(store, version, statistics=False)
    assert inspect_tensors.rows(store, version, "steps", 1, 3).tolist() == [1, 2]


def test_a_summary_can_be_kept_as_json(summary: dict[str, Any]) -> None:
    assert json.loads(json.dumps(summary)) == summary
