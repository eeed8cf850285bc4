"""Reading and publishing for an attempt, on a store with remote files."""

import hashlib
from contextlib import ExitStack
from pathlib import Path

import pytest

from model_store import Store
from service.jobs.errors import AttemptFailed, AttemptPutOff
from service.signatures.keys import create_key, read_public_key
from service.signatures.signatures import Signatures
from service.use_cases.attempt_store import DATA, STATE_DICT, AttemptStore
from tests.jobs.jobs import running_job
from tests.model_store.memory_backend import MemoryBackend

JOB = running_job("job", {"model_name": "line", "data": {"kind": "line"}})
READS = running_job(
    "another",
    {"model_name": "line", "data": {"kind": "dataset", "dataset": "table", "version": 1}, "initial": "line@1"},
)


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
    AttemptStore(store).publish(JOB, {"format": 1}, {STATE_DICT: tmp_path / STATE_DICT})
    return store


def test_the_files_of_an_attempt_are_local_until_it_is_closed(store: Store, backend: MemoryBackend) -> None:
    with ExitStack() as files:
        inputs = AttemptStore(store).fetch(READS, files)
        assert {name: Path(each["path"]).read_text() for name, each in inputs.items()} == {
            "dataset": DATA,
            "initial": STATE_DICT,
        }
        assert [(each["name"], each["version"]) for each in inputs.values()] == [("table", 1), ("line", 1)]
        store.datasets.delete_all("table")  # a running attempt keeps its copy
        assert Path(inputs["dataset"]["path"]).read_text() == DATA
    assert backend.fetched == 2
    assert AttemptStore(store).fetch(running_job("third", JOB.spec), ExitStack()) == {}


def test_a_job_is_published_once(store: Store, tmp_path: Path) -> None:
    (tmp_path / "again").write_text("other weights")
    attempts, first = AttemptStore(store), {"model_name": "line", "version": 1}
    assert attempts.publish(JOB, {"format": 1}, {STATE_DICT: tmp_path / "again"}) == first
    assert attempts.fetch(JOB, ExitStack()) == {"published": first}
    assert store.models.numbers("line") == [1]


def test_a_version_that_cannot_be_signed_is_put_off(tmp_path: Path) -> None:
    key, store, files = tmp_path / "key.pem", Store(MemoryBackend()), {STATE_DICT: tmp_path / "weights"}
    files[STATE_DICT].write_text("weights")
    public = read_public_key(create_key(key))
    attempts = AttemptStore(store, Signatures(tmp_path / "tmp", key, [public]))
    key.rename(tmp_path / "away.pem")
    with pytest.raises(AttemptPutOff, match="the signing key cannot be used: no such file") as put_off:
        attempts.publish(JOB, {"format": 1}, files)
    assert (put_off.value.code, put_off.value.unpublished, store.models.names()) == ("unavailable", True, [])
    (tmp_path / "away.pem").rename(key)
    attempts.publish(JOB, {"format": 1}, files)  # with the files that were left where they are
    assert store.models.signature(store.models.get("line", 1)) is not None


def test_no_training_starts_from_a_model_without_the_required_signature(store: Store, tmp_path: Path) -> None:
    public = read_public_key(create_key(tmp_path / "key.pem"))
    with pytest.raises(AttemptFailed, match="it has no signature") as failed, ExitStack() as files:
        AttemptStore(store, Signatures(tmp_path / "tmp", None, [public])).fetch(READS, files)
    assert failed.value.code == "invalid_data"


@pytest.mark.parametrize(("lost", "code"), [("datasets", "dataset_deleted"), ("models", "invalid_data")])
def test_a_version_that_was_deleted_fails_the_attempt(store: Store, lost: str, code: str) -> None:
    store.datasets.delete_all("table") if lost == "datasets" else store.delete_model("line")
    with pytest.raises(AttemptFailed, match="was deleted") as failed, ExitStack() as files:
        AttemptStore(store).fetch(READS, files)
    assert failed.value.code == code


def test_a_damaged_version_fails_the_attempt(store: Store, backend: MemoryBackend) -> None:
    (key,) = backend.keys(hashlib.sha256(DATA.encode()).hexdigest())
    backend.replace(key, b"dAta")
    with pytest.raises(AttemptFailed, match="Upload the data set again") as failed, ExitStack() as files:
        AttemptStore(store).fetch(READS, files)
    assert failed.value.code == "invalid_data"
