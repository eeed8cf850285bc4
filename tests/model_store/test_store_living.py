"""Listing models costs by the live ones: an index of names with versions, rebuilt when incomplete."""

from pathlib import Path
from typing import Any

import pytest

from model_store import Store
from model_store.backends.local import LocalBackend
from model_store.clock import utc_now
from model_store.live_index import LiveIndex
from tests.model_store.source_files import source_files

DEAD = 30


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """One model with a version, and many whose only version was deleted."""
    store = Store.open(tmp_path / "store")
    for name in ["line", *(f"dead{number}" for number in range(DEAD))]:
        store.models.publish(name, {"format": 1}, source_files(tmp_path, {"weights": name.encode()}))
        if name != "line":
            store.delete_model(name)
    return store


def test_listing_models_does_not_read_names_without_versions(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.sweep(3600)
    listed: list[str] = []
    names = LocalBackend.names

    def counted(self: LocalBackend, prefix: str) -> list[str]:
        listed.append(prefix)
        return names(self, prefix)

    monkeypatch.setattr(LocalBackend, "names", counted)
    assert Store.open(tmp_path / "store").models.names() == ["line"]
    assert len(listed) < 10
    assert not [prefix for prefix in listed if "dead" in prefix]


def test_a_missing_or_incomplete_index_is_rebuilt(store: Store, tmp_path: Path) -> None:
    index = tmp_path / "store" / "living" / "models"
    assert store.models.names() == ["line"]  # before the first sweep
    store.sweep(3600)
    entry = next(index.glob("line@1*"))
    entry.unlink()
    (index / "dead3@1").touch()
    (index / "strange").touch()
    store.sweep(3600)
    assert store.models.names() == ["line"]
    assert sorted(path.name for path in index.iterdir()) == [".built", entry.name, "strange"]
    for path in index.iterdir():
        path.unlink()
    assert store.models.names() == ["line"]


def test_a_version_is_listed_from_its_publication_despite_concurrent_deletions(store: Store, tmp_path: Path) -> None:
    store.sweep(3600)
    index, listed = LiveIndex(LocalBackend(tmp_path / "store"), "models", utc_now), []
    for number in (2, 3):
        store.models.publish("line", {"format": 1}, source_files(tmp_path, {"weights": b"new"}))
        store.delete_version("line", number - 1)
        listed.append((store.models.names(), set(index.read().of("line"))))
    assert listed == [(["line"], {2}), (["line"], {3})]


def test_an_announced_but_unpublished_name_is_not_listed(store: Store, tmp_path: Path) -> None:
    store.sweep(3600)
    LiveIndex(LocalBackend(tmp_path / "store"), "models", utc_now).add(
        "ghost", 1, "0" * 32
    )  # as if its process was killed here
    store.sweep(3600)
    assert store.models.names() == ["line"]
    manifest: dict[str, Any] = {"format": 1}
    assert store.models.publish("ghost", manifest, source_files(tmp_path, {"weights": b"1"})).number == 1
    assert store.models.names() == ["ghost", "line"]
