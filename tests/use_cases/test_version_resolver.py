"""Resolving references from memory, and never to a version that cannot be loaded."""

from collections.abc import Callable
from pathlib import Path

import pytest

from model_store import Store, Version
from model_store.errors import NameNotFound, StoreError, Unavailable, VersionCorrupt, VersionNotFound
from service.model_reference import ModelReference
from service.serving.served_version import ServedVersion
from service.serving.warm_models import WarmModels
from service.use_cases import predict
from service.use_cases.version_resolver import AGAIN, FRESH, MOST, VersionResolver

KEY = ModelReference("m")


class ResolverSetup:
    """A store with versions of `m` without content, and a clock."""

    def __init__(self, path: Path, most: int = MOST) -> None:
        self.store = Store.open(path)
        self.time = 0.0
        self.look_ups = 0
        self.corrupt: set[int] = set()
        self.unavailable = False
        self.models = WarmModels(10**6)
        self.choose: Callable[[str, str | None], Version] = self._choose
        self.current = VersionResolver(
            lambda *reference: self.choose(*reference), self._load, self.models.pin, now=lambda: self.time, most=most
        )

    def _choose(self, name: str, reference: str | None) -> Version:
        self.look_ups += 1
        if self.unavailable:
            raise Unavailable
        return predict.choose(self.store, name, reference)

    def _load(self, version: ServedVersion) -> None:
        if version.number in self.corrupt:
            raise VersionCorrupt(version.name, version.number, "state_dict.safetensors", "is damaged")

    def publish(self, name: str = "m") -> int:
        return self.store.models.publish(name, {"any": "thing"}, {}).number

    def assert_remembered(self, number: int) -> None:
        """Assert that the resolver remembers this version."""
        remembered, stored = self.current.last_known(KEY), self.store.resolve("m", str(number))
        assert remembered is not None and (remembered.number, remembered.digest) == (stored.number, stored.digest)


@pytest.fixture
def setup(tmp_path: Path) -> ResolverSetup:
    setup = ResolverSetup(tmp_path / "store")
    setup.publish()
    return setup


def test_a_remembered_version_is_resolved_without_the_store_until_it_expires(setup: ResolverSetup) -> None:
    assert setup.current.known(KEY) is None
    assert setup.current.look_up(KEY).number == 1
    look_ups = setup.look_ups
    assert setup.current.known(KEY) is not None and setup.look_ups == look_ups
    setup.time += FRESH
    assert setup.current.known(KEY) is None
    setup.current.round()
    assert setup.current.known(KEY) is not None


def test_references_in_use_follow_the_store(setup: ResolverSetup) -> None:
    setup.current.look_up(KEY)
    setup.publish()
    known = setup.current.known(KEY)
    assert known is not None and known.number == 1
    setup.current.round()
    known = setup.current.known(KEY)
    assert known is not None and known.number == 2


def test_remembered_versions_resolve_while_the_store_is_unavailable(setup: ResolverSetup) -> None:
    setup.current.look_up(KEY)
    setup.unavailable, setup.time = True, 100.0
    assert setup.current.look_up(KEY).number == 1
    assert setup.current.known(KEY) is not None
    with pytest.raises(Unavailable):
        setup.current.look_up(ModelReference("other", None))


def test_a_damaged_version_does_not_become_current(setup: ResolverSetup) -> None:
    setup.current.look_up(KEY)
    setup.publish()
    setup.corrupt = {2}
    assert setup.current.look_up(KEY).number == 1
    setup.corrupt = set()
    assert setup.current.look_up(KEY).number == 1  # it is not loaded again at once
    setup.time += AGAIN
    assert setup.current.look_up(KEY).number == 2


def test_changes_by_this_process_are_visible_at_once(setup: ResolverSetup) -> None:
    setup.current.look_up(KEY)
    setup.current.follow_publish("m", setup.publish())
    setup.assert_remembered(2)
    look_ups = setup.look_ups
    setup.current.follow_publish("m", 2)
    assert setup.look_ups == look_ups
    setup.store.delete_model("m")
    setup.current.follow("m")
    assert setup.current.known(KEY) is None
    with pytest.raises(NameNotFound):
        setup.current.look_up(KEY)


def test_a_look_up_that_began_before_a_change_does_not_undo_it(setup: ResolverSetup) -> None:
    setup.current.look_up(KEY)
    once: list[int] = []

    def slow(name: str, reference: str | None) -> Version:
        found = predict.choose(setup.store, name, reference)
        if not once:
            once.append(1)
            setup.publish()
            setup.current.follow("m")  # as another thread would
        return found

    setup.choose = slow
    assert setup.current.look_up(KEY).number == 2
    setup.assert_remembered(2)


def test_unknown_names_take_no_memory(setup: ResolverSetup) -> None:
    for number in range(100):
        with pytest.raises(StoreError):
            setup.current.look_up(ModelReference(f"n{number}", None))
        with pytest.raises(VersionNotFound):
            setup.current.look_up(ModelReference("m", f"a{number}"))
    assert len(setup.current) == 0


def test_the_number_of_remembered_references_is_bounded(tmp_path: Path) -> None:
    assert MOST <= 10_000
    setup = ResolverSetup(tmp_path / "store", most=10)
    for number in range(30):
        setup.publish()
        setup.time += 1
        setup.current.look_up(ModelReference("m", str(number + 1)))
    assert len(setup.current) <= 10
    assert setup.current.last_known(ModelReference("m", "30")) is not None
