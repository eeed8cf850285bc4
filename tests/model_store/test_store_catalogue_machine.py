"""Lists by processes that have listed before show what is there, whatever happened meanwhile, crashes included."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from model_store import Catalogue, Store
from model_store.errors import StoreError, Unavailable
from tests.examples import examples
from tests.model_store.memory_backend import MemoryBackend

NAMES = st.sampled_from(["a", "b"])
ALIASES = st.sampled_from(["production", "staging"])
NUMBERS = st.integers(1, 4)
PROCESSES = st.integers(0, 1)
FAULTS = st.none() | st.tuples(st.integers(1, 8), st.booleans(), st.booleans())


class Killed(BaseException):
    """The process was killed here."""


class FailingBackend(MemoryBackend):
    """Fails at a certain write, before or after it took effect: with an error, or as if the process was killed."""

    def __init__(self) -> None:
        super().__init__()
        self.fault: tuple[int, bool, bool] | None = None
        self.dead = False

    def create(self, key: str, data: bytes) -> None:
        self._write(lambda: super(FailingBackend, self).create(key, data))

    def replace(self, key: str, data: bytes) -> None:
        self._write(lambda: super(FailingBackend, self).replace(key, data))

    def delete(self, prefix: str) -> None:
        self._write(lambda: super(FailingBackend, self).delete(prefix))

    def _write(self, write: Callable[[], None]) -> None:
        if self.dead:
            raise Killed
        if self.fault is None:
            write()
            return
        left, killed, after = self.fault
        self.fault = (left - 1, killed, after) if left > 1 else None
        if left > 1 or after:
            write()
        if left == 1:
            self.dead = killed
            raise Killed if killed else Unavailable


class CatalogueMachine(RuleBasedStateMachine):
    """Two processes that change and list, with faults, and a third that has never listed."""

    def __init__(self) -> None:
        super().__init__()
        self.backend = FailingBackend()
        self.stores = [Store(self.backend) for _ in range(2)]
        self.catalogues = [self.catalogue(store) for store in self.stores]
        for name in ("a", "b"):
            for value in range(3):
                self.stores[0].models.publish(name, {"value": value}, {})
            self.stores[0].aliases.set(name, "production", 1)
        self.stores[0].sweep(3600)

    def catalogue(self, store: Store) -> Catalogue[Any]:
        return Catalogue(store.models, store.aliases, lambda version: version.digest, clock=lambda: 0.0)

    @rule(by=PROCESSES, name=NAMES, value=st.integers(0, 3), fault=FAULTS)
    def publish(self, by: int, name: str, value: int, fault: Any) -> None:
        self.attempt(fault, lambda: self.stores[by].models.publish(name, {"value": value}, {}))

    @rule(by=PROCESSES, name=NAMES, number=NUMBERS, fault=FAULTS)
    def delete_version(self, by: int, name: str, number: int, fault: Any) -> None:
        self.attempt(fault, lambda: self.stores[by].delete_version(name, number))

    @rule(by=PROCESSES, name=NAMES, fault=FAULTS)
    def delete_model(self, by: int, name: str, fault: Any) -> None:
        self.attempt(fault, lambda: self.stores[by].delete_model(name))

    @rule(by=PROCESSES, name=NAMES, alias=ALIASES, number=NUMBERS, fault=FAULTS)
    def set_alias(self, by: int, name: str, alias: str, number: int, fault: Any) -> None:
        self.attempt(fault, lambda: self.stores[by].aliases.set(name, alias, number))

    @rule(by=PROCESSES, name=NAMES, alias=ALIASES, fault=FAULTS)
    def delete_alias(self, by: int, name: str, alias: str, fault: Any) -> None:
        self.attempt(fault, lambda: self.stores[by].aliases.delete(name, alias))

    @rule(by=PROCESSES, age=st.sampled_from([-60, 3600]), fault=FAULTS)
    def sweep(self, by: int, age: int, fault: Any) -> None:
        self.attempt(fault, lambda: self.stores[by].sweep(age))

    @invariant()
    def lists_show_what_is_there(self) -> None:
        expected = self.there()
        fresh = self.catalogue(Store(self.backend))
        for catalogue in (*self.catalogues, fresh):
            listing = catalogue.open()
            found = {name: listing.get(name) for name in listing.names(None, 9)}
            assert {name: (each.numbers, each.latest, dict(each.aliases)) for name, each in found.items()} == expected
            assert all(each.error is None for each in found.values())

    def there(self) -> dict[str, Any]:
        """What the records, manifests and logs say."""
        store, found = Store(self.backend), {}
        for name in store.models.all_names():
            numbers = [*store.models.records(name).live_from_highest()]
            if numbers:
                latest = store.models.get(name, numbers[0]).digest
                found[name] = (numbers[::-1], latest, store.aliases.all(name))
        return found

    def attempt(self, fault: Any, act: Callable[[], Any]) -> None:
        self.backend.fault = fault
        with suppress(StoreError, Killed):
            act()
        self.backend.fault, self.backend.dead = None, False


def test_lists_of_several_processes_with_crashes() -> None:
    run_state_machine_as_test(
        CatalogueMachine, settings=settings(max_examples=examples(40), stateful_step_count=40, deadline=None)
    )


def test_a_sweep_leaves_nothing_in_doubt_that_crashes_have_left() -> None:
    """Whatever write a change is killed at, after a sweep a second list reads the indexes only."""
    changes: list[Callable[[Store], Any]] = [
        lambda store: store.models.publish("line", {}, {}),
        lambda store: store.delete_version("line", 2),
        lambda store: store.aliases.set("line", "production", 2),
        lambda store: store.aliases.delete("line", "production"),
        lambda store: store.delete_model("line"),
        lambda store: store.sweep(-60),
    ]
    for change in changes:
        for write in range(1, 40):
            backend = FailingBackend()
            store = Store(backend)
            for _ in range(3):
                store.models.publish("line", {}, {})
            store.aliases.set("line", "production", 1)
            store.sweep(3600)
            backend.fault = (write, True, True)
            try:
                change(store)
            except Killed:
                backend.dead = False
            ended, backend.fault = backend.fault is not None, None
            for _ in range(2):
                store.sweep(-60)
            doubts = backend.names("living/doubts/models")
            live = [f"line@{number}" for number in store.models.numbers("line")] if store.models.names() else []
            assert doubts == []
            assert [key.rpartition("@")[0] for key in backend.names("living/models")] == ["", *live]
            assert len(backend.names("living/aliases/models")) <= 2
            if ended:
                break
        else:
            raise AssertionError("the change has too many writes")
