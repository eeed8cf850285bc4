"""Reading and publishing for an attempt, on a store with remote files."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from model_store import Store
from service.jobs.errors import AttemptFailed
from service.use_cases.attempt_store import DATA, STATE_DICT, fetch, find_published, publish
from tests.model_store.memory_backend import MemoryBackend

JOB: dict[str, Any] = {"id": "job", "spec": {"model_name": "line"}, "context": {"since": 0}}
SPEC = {"data": {"kind": "dataset", "dataset": "table", "version": 1}, "initial": "line@1"}


@pytest.fixture
def backend() -> MemoryBackend:
    return MemoryBackend()


@pytest.fixture
def store(backend: MemoryBackend, tmp_path: Path) -> Store:
    """A store with the data set `table` and the model `line` published by a job."""
    store = Store(backend)
    for name in (DATA, STATE_DICT):
        (tmp_path / name).write_text(name)
    store.datasets.publish("table", {"format": 2}, {DATA: tmp_path / DATA})
    publish(store, JOB, {"format": 1}, {STATE_DICT: tmp_path / STATE_DICT})
    return store


def test_the_files_of_an_attempt_are_local_until_it_is_closed(store: Store, backend: MemoryBackend) -> None:
    with ExitStack() as files:
        inputs = fetch(store, SPEC, files)
        assert {name: Path(each["path"]).read_text() for name, each in inputs.items()} == {
            "dataset": DATA,
            "initial": STATE_DICT,
        }
        assert [(each["name"], each["version"]) for each in inputs.values()] == [("table", 1), ("line", 1)]
        store.datasets.delete_all("table")  # a running attempt keeps its copy
        assert Path(inputs["dataset"]["path"]).read_text() == DATA
    assert backend.fetched == 2
    assert fetch(store, {"data": {"kind": "line"}}, ExitStack()) == {}


def test_a_job_is_published_once(store: Store, tmp_path: Path) -> None:
    (tmp_path / "again").write_text("other weights")
    assert publish(store, JOB, {"format": 1}, {STATE_DICT: tmp_path / "again"}) == {"model_name": "line", "version": 1}
    assert find_published(store, JOB) == {"model_name": "line", "version": 1}
    assert find_published(store, JOB | {"id": "another"}) is None
    assert store.models.numbers("line") == [1]


@pytest.mark.parametrize(("lost", "code"), [("datasets", "dataset_deleted"), ("models", "invalid_data")])
def test_a_version_that_was_deleted_fails_the_attempt(store: Store, lost: str, code: str) -> None:
    store.datasets.delete_all("table") if lost == "datasets" else store.delete_model("line")
    with pytest.raises(AttemptFailed, match="was deleted") as failed, ExitStack() as files:
        fetch(store, SPEC, files)
    assert failed.value.code == code


def test_a_damaged_version_fails_the_attempt(store: Store, backend: MemoryBackend) -> None:
    (key,) = backend.keys(f"/{DATA}")
    backend.replace(key, b"dAta")
    with pytest.raises(AttemptFailed, match="Upload the data set again") as failed, ExitStack() as files:
        fetch(store, SPEC, files)
    assert failed.value.code == "invalid_data"
