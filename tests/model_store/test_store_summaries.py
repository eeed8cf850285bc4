"""Summaries of versions, and ranges of their files."""

from pathlib import Path

import pytest

from model_store import Store, Version, write_bundle
from model_store.errors import InvalidName, ObjectNotFound, VersionCorrupt, VersionNotFound
from tests.model_store.memory_backend import MemoryBackend
from tests.model_store.source_files import source_files


@pytest.fixture
def backend() -> MemoryBackend:
    return MemoryBackend()


@pytest.fixture
def store(backend: MemoryBackend) -> Store:
    return Store(backend)


def publish(store: Store, folder: Path, summaries: dict[str, dict[str, int]]) -> Version:
    files = source_files(folder, {"weights": b"0123456789"})
    return store.models.publish_once("line", {"format": 1}, files, key=None, summaries=summaries)[0]


def test_a_summary_is_published_with_its_version_and_changes_neither_digest_nor_bundle(
    store: Store, tmp_path: Path
) -> None:
    plain, summarised = publish(store, tmp_path, {}), publish(store, tmp_path, {"tensors": {"count": 3}})
    assert plain.digest == summarised.digest
    assert store.models.summaries.find(plain, "tensors") is None
    assert store.models.summaries.find(summarised, "tensors") == {"count": 3}
    assert store.models.summaries.find(store.models.get("line", 2), "tensors") == {"count": 3}
    bundles = []
    for version in (plain, summarised):
        with (tmp_path / "bundle").open("wb") as target:
            write_bundle(version, store.models, target)
        bundles.append((tmp_path / "bundle").read_bytes())
    assert bundles[0] == bundles[1]
    assert store.verify() == []


def test_a_summary_is_added_replaced_and_deleted_with_its_version(
    store: Store, backend: MemoryBackend, tmp_path: Path
) -> None:
    version = publish(store, tmp_path, {})
    for count in (1, 2):
        store.models.summaries.keep(version, "tensors", {"count": count})
        assert store.models.summaries.find(version, "tensors") == {"count": count}
    store.models.delete("line", 1)
    assert backend.keys("/tensors") == []
    store.models.summaries.keep(version, "tensors", {"count": 3})  # by a slow process
    store.sweep(-60)
    assert backend.keys("/tensors") == []


def test_a_damaged_summary_counts_as_missing_and_is_reported(
    store: Store, backend: MemoryBackend, tmp_path: Path
) -> None:
    versions = [publish(store, tmp_path, {"tensors": {"count": number}}) for number in (1, 2)]
    first, second = backend.keys("/tensors")
    whole = backend.read(first)
    for damage in (b"", whole[:-1], whole.replace(b"1", b"2", 1), backend.read(second), b"{}", b'{"count": 1}'):
        backend.replace(first, damage)
        assert store.models.summaries.find(versions[0], "tensors") is None, damage
        assert [(each.number, each.reason) for each in store.verify()] == [(1, "cannot be read")], damage
    store.models.summaries.keep(versions[0], "tensors", {"count": 1})
    assert backend.read(first) == whole
    assert store.verify() == []
    backend.create(first.replace("tensors", "~"), b"")
    assert len(store.verify()) == 1


def test_an_illegal_name_of_a_summary_is_refused(store: Store, tmp_path: Path) -> None:
    version = publish(store, tmp_path, {})
    for name in ("", "..", "a/b/c", "/a", "~"):
        with pytest.raises(InvalidName):
            store.models.summaries.find(version, name)


def test_reads_ranges_of_a_file(store: Store, backend: MemoryBackend, tmp_path: Path) -> None:
    version = publish(store, tmp_path, {})
    for start, stop in ((0, 4), (4, 4), (8, 99), (10, 11), (99, 100)):
        assert store.models.read_range(version, "weights", start, stop) == b"0123456789"[start:stop]
    assert backend.fetched == 0
    with pytest.raises(ObjectNotFound):
        store.models.read_range(version, "other", 0, 1)


def test_a_range_of_a_damaged_or_deleted_file(store: Store, backend: MemoryBackend, tmp_path: Path) -> None:
    version = publish(store, tmp_path, {})
    (key,) = backend.keys(version.file("weights")["sha256"])
    backend.replace(key, b"012345678")
    assert store.models.read_range(version, "weights", 0, 9) == b"012345678"
    with pytest.raises(VersionCorrupt, match="size"):
        store.models.read_range(version, "weights", 0, 10)
    backend.delete(key)
    with pytest.raises(VersionCorrupt, match="missing"):
        store.models.read_range(version, "weights", 0, 10)
    files = source_files(tmp_path, {"weights": b"others"})
    store.models.publish("line", {"format": 1}, files)
    store.models.delete("line", 1)
    with pytest.raises(VersionNotFound):
        store.models.read_range(version, "weights", 0, 10)


def test_a_range_of_a_file_that_is_no_blob(store: Store, backend: MemoryBackend, tmp_path: Path) -> None:
    version = publish(store, tmp_path, {})
    (blob,) = backend.keys(version.file("weights")["sha256"])
    backend.create(f"models/line/contents/{version.content}/files/weights", backend.read(blob))
    backend.replace(blob, b"0")
    assert store.models.read_range(version, "weights", 2, 5) == b"234"
    backend.delete(blob)
    assert store.models.read_range(version, "weights", 2, 5) == b"234"
