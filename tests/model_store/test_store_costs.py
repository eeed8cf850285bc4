"""What lists and references cost in calls of the storage, and in names that it lists."""

from collections.abc import Callable
from typing import Any

import pytest

from model_store import Collection, Store
from model_store.errors import NameNotFound
from tests.model_store.memory_backend import MemoryBackend


class CountingBackend(MemoryBackend):
    """Counts the calls, and the names that they return."""

    def __init__(self) -> None:
        super().__init__()
        self.cost = 0
        self.calls = 0

    def read(self, key: str) -> bytes:
        self.cost += 1
        self.calls += 1
        return super().read(key)

    def names(self, prefix: str) -> list[str]:
        names = super().names(prefix)
        self.cost += 1 + len(names)
        self.calls += 1
        return names


def test_listing_cost_depends_on_live_versions_only() -> None:
    def cost(deleted: int) -> list[int]:
        backend = CountingBackend()
        models, costs = Collection(backend, "models"), []
        for number in range(1, deleted + 1):
            models.publish("line", {}, {})
            models.delete("line", number)
        models.publish("line", {}, {}, key="first")
        calls: list[Callable[[], Any]] = [
            models.names,
            lambda: models.latest("line"),
            lambda: models.numbers("line"),
            lambda: models.publish("line", {}, {}, key="second"),
        ]
        for call in calls:
            backend.cost = 0
            call()
            costs.append(backend.cost)
        return costs

    assert cost(deleted=200) == cost(deleted=2)


def test_the_newest_versions_and_aliases_cost_the_same_however_many_there_are() -> None:
    def cost(count: int) -> list[int]:
        backend = CountingBackend()
        store = Store(backend)
        for _ in range(count):
            store.models.publish("line", {}, {})
        store.aliases.set("line", "production", 2)
        calls: list[Callable[[], Any]] = [
            lambda: store.resolve("line", "latest"),
            lambda: store.resolve("line", "production"),
            lambda: store.resolve("line", "3"),
            lambda: store.models.newest("line", None, 5),
            lambda: store.models.newest("line", 9, 5),
        ]
        costs = []
        for call in calls:
            call()
            backend.cost = 0
            call()
            costs.append(backend.cost)
        return costs

    assert cost(10) == cost(100)
    assert max(cost(10)) < 40


def test_the_newest_versions_are_found_across_deleted_ones_and_other_processes() -> None:
    backend = MemoryBackend()
    store, other = Store(backend), Store(backend)
    for _ in range(60):
        store.models.publish("line", {}, {})
    assert store.models.newest("line", None, 3) == [60, 59, 58]
    for number in [*range(3, 59), 60]:
        other.delete_version("line", number)
    assert store.models.newest("line", None, 3) == [59, 2, 1]
    assert store.models.newest("line", 59, 3) == [2, 1]
    assert [other.models.publish("line", {}, {}).number for _ in range(3)] == [61, 62, 63]
    other.delete_version("line", 62)
    assert store.models.newest("line", None, 3) == [63, 61, 59]
    assert store.models.latest_number("line") == 63
    assert store.models.newest("line", 1, 3) == []
    other.delete_model("line")
    with pytest.raises(NameNotFound):
        store.models.newest("line", None, 3)
