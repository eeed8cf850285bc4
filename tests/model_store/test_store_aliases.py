import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from model_store import Store
from model_store.backends.local import LocalBackend
from model_store.errors import (
    AliasCorrupt,
    AliasNotFound,
    InvalidName,
    NameNotFound,
    NothingToRollBackTo,
    PreconditionFailed,
    VersionInUse,
    VersionNotFound,
)
from tests.model_store.memory_backend import MemoryBackend


@pytest.fixture
def store() -> Store:
    store = Store(MemoryBackend())
    for number in range(3):
        store.models.publish("line", {"number": number}, {})
    return store


def test_an_alias_is_a_log(store: Store) -> None:
    aliases = store.aliases
    assert [aliases.set("line", "production", version).number for version in (1, 2, 2, 3)] == [1, 2, 2, 3]
    assert aliases.get("line", "production").version == 3
    assert aliases.rollback("line", "production").version == 2
    assert aliases.delete("line", "production").version is None
    assert aliases.set("line", "production", 1).number == 6
    assert [entry.version for entry in aliases.history("line", "production")] == [1, 2, 3, 2, None, 1]
    assert {alias: entry.version for alias, entry in aliases.all("line").items()} == {"production": 1}


def test_missing_objects_raise_not_found(store: Store) -> None:
    aliases = store.aliases
    calls: list[Callable[..., Any]] = [aliases.get, aliases.delete, aliases.rollback]
    for call in [*calls, aliases.history]:
        with pytest.raises(AliasNotFound):
            call("line", "production")
    with pytest.raises(VersionNotFound):
        aliases.set("line", "production", 4)
    with pytest.raises(NameNotFound):
        aliases.set("other", "production", 1)
    aliases.set("line", "production", 1)
    aliases.delete("line", "production")
    for call in calls:
        with pytest.raises(AliasNotFound):
            call("line", "production")
    assert aliases.all("line") == {}
    for call in [*calls, aliases.history]:
        with pytest.raises(InvalidName):
            call("line", "latest")


def test_set_compares_with_the_expected_version(store: Store) -> None:
    aliases = store.aliases
    with pytest.raises(PreconditionFailed):
        aliases.set("line", "production", 1, expected=1)
    entry = aliases.set("line", "production", 1, absent=True)
    with pytest.raises(PreconditionFailed):
        aliases.set("line", "production", 2, absent=True)
    assert aliases.set("line", "production", 2, expected=entry.number).number == 2
    for change in (aliases.delete, aliases.rollback):
        with pytest.raises(PreconditionFailed):
            change("line", "production", expected=1)
    with pytest.raises(PreconditionFailed):
        aliases.set("line", "production", 2, expected=1)
    assert aliases.rollback("line", "production", expected=2).version == 1
    assert aliases.delete("line", "production", expected=3).number == 4
    with pytest.raises(PreconditionFailed):
        aliases.set("line", "production", 1, expected=4)
    assert aliases.set("line", "production", 1, absent=True).number == 5


def test_rollback_needs_an_existing_previous_version(store: Store) -> None:
    aliases = store.aliases
    aliases.set("line", "production", 1)
    with pytest.raises(NothingToRollBackTo):
        aliases.rollback("line", "production")
    aliases.set("line", "production", 2)
    store.delete_version("line", 1)
    with pytest.raises(NothingToRollBackTo):
        aliases.rollback("line", "production")
    aliases.delete("line", "production")
    aliases.set("line", "production", 3)
    with pytest.raises(NothingToRollBackTo):
        aliases.rollback("line", "production")


def test_exactly_one_of_several_concurrent_swaps_succeeds(tmp_path: Path) -> None:
    store = Store(LocalBackend(tmp_path))
    for _ in range(9):
        store.models.publish("line", {}, {})
    store.aliases.set("line", "production", 9)

    def swap(version: int) -> bool:
        try:
            return store.aliases.set("line", "production", version, expected=1).version == version
        except PreconditionFailed:
            return False

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(swap, range(1, 9))) == 1
        entries = list(threads.map(lambda version: store.aliases.set("line", "production", version), range(1, 9)))
    assert len({(entry.number, entry.version) for entry in entries}) == 8
    history = list(store.aliases.history("line", "production"))
    assert [entry.number for entry in history] == list(range(1, len(history) + 1))


def test_resolves_references(store: Store) -> None:
    store.aliases.set("line", "production", 2)
    resolved = [store.resolve("line", reference).number for reference in ("1", "latest", "production")]
    assert resolved == [1, 3, 2]
    for reference in ("4", "0", "9" * 5000, "staging", "No", "", "-1", "１", "1 "):
        with pytest.raises(VersionNotFound):
            store.resolve("line", reference)
    for reference in ("1", "latest", "production"):
        with pytest.raises(NameNotFound):
            store.resolve("other", reference)
        with pytest.raises(InvalidName):
            store.resolve("../x", reference)


def test_a_version_with_an_alias_cannot_be_deleted(store: Store) -> None:
    store.aliases.set("line", "production", 2)
    with pytest.raises(VersionInUse) as caught:
        store.delete_version("line", 2)
    assert caught.value.aliases == ["production"]
    assert store.models.has("line", 2)
    store.aliases.set("line", "production", 3)
    store.delete_version("line", 2)
    assert store.models.numbers("line") == [1, 3]


class DeletesBetween(MemoryBackend):
    """Deletes version 2 right before an alias's entry is written, to make the race certain."""

    def create(self, key: str, data: bytes) -> None:
        if (
            "/aliases/" in key
            and "/marks/" not in key
            and b'"version": 2' in data
            and Store(self).models.has("line", 2)
        ):
            Store(self).delete_version("line", 2)
        super().create(key, data)


@pytest.mark.parametrize("before", [None, 1])
def test_an_alias_is_not_set_on_a_version_deleted_concurrently(before: int | None) -> None:
    backend = DeletesBetween()
    store = Store(backend)
    store.models.publish("line", {}, {})
    if before is not None:
        store.aliases.set("line", "production", before)
    store.models.publish("line", {}, {})
    with pytest.raises(VersionNotFound):
        store.aliases.set("line", "production", 2)
    assert {alias: entry.version for alias, entry in store.aliases.all("line").items()} == (
        {} if before is None else {"production": 1}
    )
    assert store.models.numbers("line") == [1]
    assert store.aliases.set("line", "production", 1).version == 1
    assert [entry.version for entry in store.aliases.history("line", "production")] == [1]
    assert store.verify() == []


def test_concurrent_deletions_leave_no_alias_without_its_version() -> None:
    store = Store(MemoryBackend())
    store.models.publish("line", {}, {})

    def promote(version: int) -> bool:
        try:
            store.aliases.set("line", f"alias{version % 5}", version)
        except VersionNotFound:
            return False
        return True

    def delete(version: int) -> bool:
        try:
            store.delete_version("line", version)
        except VersionInUse:
            return False
        return True

    with ThreadPoolExecutor(2) as threads:
        for _ in range(300):
            version = store.models.publish("line", {}, {}).number
            outcomes = [threads.submit(work, version) for work in (promote, delete)]
            assert not all(outcome.result() for outcome in outcomes)
            for entry in store.aliases.all("line").values():
                assert entry.version is not None
                assert store.models.has("line", entry.version)
    assert store.verify() == []


def test_deleting_a_model_deletes_its_aliases_and_keeps_its_numbers(store: Store) -> None:
    store.aliases.set("line", "production", 2)
    store.delete_model("line")
    assert store.models.names() == []
    assert store.aliases.all("line") == {}
    with pytest.raises(NameNotFound):
        store.delete_model("line")
    assert store.models.publish("line", {}, {}).number == 4
    assert store.aliases.set("line", "production", 4).number == 3


def test_a_damaged_alias_raises_and_can_be_set_again(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    store.models.publish("line", {}, {})
    store.aliases.set("line", "staging", 1)
    store.aliases.set("line", "production", 1)
    damages = (b"", b"{}", json.dumps({"number": 3, "version": "1", "created_at": ""}).encode())
    for entry, damage in enumerate(damages, 1):
        (tmp_path / f"models/line/aliases/production/{entry}").write_bytes(damage)
        with pytest.raises(AliasCorrupt):
            store.resolve("line", "production")
        assert store.aliases.all("line")["production"].damaged
        assert store.resolve("line", "staging").number == 1
        assert [fault.file for fault in store.verify()] == [f"aliases/production/{n}" for n in range(1, entry + 1)]
        assert store.aliases.set("line", "production", 1).number == entry + 1
        assert store.resolve("line", "production").number == 1
    assert [entry.damaged for entry in store.aliases.history("line", "production")] == [True, True, True, False]
