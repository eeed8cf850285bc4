"""Lists of models read what has changed, and show what a process that has remembered nothing would."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_store import Catalogue, Listed, Store
from model_store.backends.local import LocalBackend
from model_store.catalogue import CHECKED_AFTER, MOST_CHECKED
from model_store.errors import InvalidName, NameNotFound, VersionCorrupt
from tests.examples import examples
from tests.model_store.history import Operation, formatted, is_linearizable, perform, random_calls
from tests.model_store.interleaving import InterleavingBackend
from tests.model_store.memory_backend import MemoryBackend
from tests.model_store.test_store_costs import CountingBackend


def catalogue(store: Store, clock: Callable[[], float] = lambda: 0.0) -> Catalogue[Any]:
    """One that shows the versions' digests."""
    return Catalogue(store.models, store.aliases, lambda version: version.digest, clock=clock)


def listed(lists: Catalogue[Any]) -> dict[str, Listed[Any]]:
    """All names."""
    listing = lists.open()
    return {name: listing.get(name) for name in listing.names(None, 10_000)}


def filled(backend: MemoryBackend, count: int) -> Store:
    """A store with models of three versions, one of them deleted, with two aliases, one of them deleted."""
    store = Store(backend)
    for number in range(count):
        name = f"model-{number:05}"
        for value in range(3):
            store.models.publish(name, {"value": value}, {})
        store.aliases.set(name, "production", 1)
        store.aliases.set(name, "staging", 2)
        store.aliases.delete(name, "staging")
        store.delete_version(name, 2)
    store.sweep(3600)
    return store


def test_a_second_list_costs_the_same_number_of_calls_however_many_models_there_are() -> None:
    def calls(count: int) -> int:
        backend = CountingBackend()
        lists = catalogue(filled(backend, count))
        first, before = listed(lists), backend.calls
        assert listed(lists) == first
        assert len(first) == count
        assert first["model-00001"].numbers == [1, 3]
        assert first["model-00001"].aliases["production"].version == 1
        return backend.calls - before

    assert calls(3) == calls(40) == 3


def test_a_change_by_another_process_is_seen_at_once_and_costs_the_reads_of_its_model() -> None:
    def costs(count: int) -> list[int]:
        backend, found = CountingBackend(), []
        store = filled(backend, count)
        lists, other = catalogue(store), Store(backend)
        listed(lists)
        changes: list[tuple[Callable[[], Any], Callable[[Listed[Any]], Any], Any]] = [
            (lambda: other.models.publish("model-00001", {}, {}), lambda each: each.numbers, [1, 3, 4]),
            (lambda: other.delete_version("model-00001", 3), lambda each: each.numbers, [1, 4]),
            (
                lambda: other.aliases.set("model-00001", "production", 4),
                lambda each: each.aliases["production"].version,
                4,
            ),
            (
                lambda: other.aliases.set("model-00001", "staging", 1),
                lambda each: [*each.aliases],
                ["production", "staging"],
            ),
            (lambda: other.aliases.delete("model-00001", "production"), lambda each: [*each.aliases], ["staging"]),
        ]
        for change, shown, expected in changes:
            change()
            before = backend.calls
            assert shown(listed(lists)["model-00001"]) == expected
            found.append(backend.calls - before)
        return found

    assert costs(3) == costs(40)
    assert max(costs(3)) < 20


def test_a_page_reads_its_own_models_alone() -> None:
    backend = CountingBackend()
    store = filled(backend, 40)
    before = backend.calls
    listing = catalogue(store).open()
    assert listing.names("model-00010", 2) == ["model-00011", "model-00012"]
    assert listing.get("model-00011").numbers == [1, 3]
    assert backend.calls - before < 60


def test_a_store_without_an_index_is_listed_by_reading_all(tmp_path: Path) -> None:
    store = Store(MemoryBackend())
    lists = catalogue(store)
    store.models.publish("line", {}, {})
    store.aliases.set("line", "production", 1)
    assert [*listed(lists)] == ["line"]
    assert lists.find("line").aliases["production"].version == 1
    store.delete_model("line")
    assert listed(lists) == {}
    with pytest.raises(NameNotFound):
        lists.find("line")
    with pytest.raises(InvalidName):
        lists.find("~")


def test_a_damage_is_shown_after_a_minute_and_as_long_as_it_lasts() -> None:
    backend, now = MemoryBackend(), [0.0]
    store = filled(backend, 3)
    lists = catalogue(store, lambda: now[0])
    whole = listed(lists)["model-00001"]
    version = store.models.get("model-00001", 3)
    manifest = f"models/model-00001/contents/{version.content}/manifest.json"
    entry = f"models/model-00001/aliases/production/{whole.aliases['production'].number}"
    kept = {key: backend.read(key) for key in (manifest, entry)}
    for key in kept:
        backend.replace(key, b"damaged")
    now[0] += CHECKED_AFTER
    shown = listed(lists)["model-00001"]
    assert isinstance(shown.error, VersionCorrupt)
    assert shown.aliases["production"].damaged
    for key, data in kept.items():
        backend.replace(key, data)
    assert listed(lists)["model-00001"] == whole


def test_a_list_reads_some_models_again_each_time_the_oldest_first() -> None:
    backend, now = CountingBackend(), [0.0]
    lists = catalogue(filled(backend, 3 * MOST_CHECKED), lambda: now[0])
    listed(lists)
    now[0] += CHECKED_AFTER
    costs = []
    for _ in range(4):
        before = backend.calls
        listed(lists)
        costs.append(backend.calls - before)
        now[0] += 1
    assert costs[0] == costs[1] == costs[2] > MOST_CHECKED
    assert costs[3] == 3


def test_a_version_that_is_deleted_while_it_is_listed_is_not_shown() -> None:
    backend = MemoryBackend()
    store = Store(backend)
    for _ in range(3):
        store.models.publish("line", {}, {})
    store.sweep(3600)
    first, second = (catalogue(Store(backend)).open() for _ in range(2))
    store.delete_version("line", 3)
    assert first.get("line").numbers == [1, 2]
    store.delete_model("line")
    with pytest.raises(NameNotFound):
        second.get("line")


def test_an_index_in_the_form_of_earlier_releases_is_converted_by_a_sweep(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    store = Store(backend)
    for _ in range(2):
        store.models.publish("line", {}, {})
    store.sweep(3600)
    for key in backend.names("living/models"):
        backend.delete(f"living/models/{key}")
        backend.create(f"living/models/{'@'.join(key.split('@')[:2])}", b"")
    backend.delete("living/aliases")
    lists = catalogue(store)
    assert lists.find("line").numbers == [1, 2]
    store.delete_version("line", 1)
    assert lists.find("line").numbers == [2]
    store.sweep(3600)
    content = store.models.get("line", 2).content
    assert backend.names("living/models") == [".built", f"line@2@{content}"]
    assert lists.find("line").numbers == [2]


def test_interleaved_lists_are_linearizable() -> None:
    """Of each version, and of each alias, a list shows a state between its begin and its end."""
    for seed in range(examples(120)):
        rng = random.Random(seed)  # noqa: S311 - no secret
        history = listed_meanwhile(rng)
        assert is_linearizable(history), f"{seed}\n{formatted(history)}"


def listed_meanwhile(rng: random.Random) -> list[Operation]:
    """Random operations of three callers, in two processes that list meanwhile."""
    backend, history = InterleavingBackend(), list[Operation]()
    processes = [(store, catalogue(store)) for store in (Store(backend), Store(backend))]

    def call(process: int, do: str, arguments: tuple[Any, ...]) -> None:
        store, lists = processes[process]
        began = backend.step
        answers = list_line(lists) if do == "list" else [(do, arguments, perform(store, "line", do, arguments))]
        history.extend(Operation(*answer, began, backend.step) for answer in answers)

    def work(process: int) -> Callable[[], None]:
        calls = [each for _ in range(2) for each in [*random_calls(rng, 1), ("list", ())]]

        def run() -> None:
            for each in calls:
                call(process, *each)

        return run

    for each in [("publish", (None,)), ("publish", (None,)), ("set", ("production", 1, None)), ("sweep", ())]:
        call(0, *each)
        backend.step += 1
    for process in (0, 1):
        call(process, "list", ())
        backend.step += 1
    for answer in backend.run_interleaved([work(process) for process in (0, 1, 1)], rng):
        assert answer is None, answer
    backend.step += 1
    for process in (0, 1):
        call(process, "list", ())
    return history


def list_line(lists: Catalogue[Any]) -> list[tuple[str, tuple[Any, ...], Any]]:
    """What a list says of the model `line`: of each version whether it is there, and of each alias where it points."""
    try:
        found = lists.find("line")
    except NameNotFound:
        return [("listed", (number,), False) for number in (1, 2)]
    aliases = {alias: (entry.number, entry.version) for alias, entry in found.aliases.items()}
    return [("listed", (number,), number in found.numbers) for number in (1, 2, 3)] + [
        ("alias", (alias,), aliases.get(alias, "not found")) for alias in ("production", "staging")
    ]
