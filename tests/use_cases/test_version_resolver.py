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


class World:
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
        known, kept = self.current.last_known(KEY), self.store.resolve("m", str(number))
        assert known is not None and (known.number, known.digest) == (kept.number, kept.digest)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "store")
    world.publish()
    return world


def test_a_remembered_version_is_resolved_without_the_store_until_it_expires(world: World) -> None:
    assert world.current.known(KEY) is None
    assert world.current.look_up(KEY).number == 1
    look_ups = world.look_ups
    assert world.current.known(KEY) is not None and world.look_ups == look_ups
    world.time += FRESH
    assert world.current.known(KEY) is None
    world.current.round()
    assert world.current.known(KEY) is not None


def test_references_in_use_follow_the_store(world: World) -> None:
    world.current.look_up(KEY)
    world.publish()
    known = world.current.known(KEY)
    assert known is not None and known.number == 1
    world.current.round()
    known = world.current.known(KEY)
    assert known is not None and known.number == 2


def test_remembered_versions_resolve_while_the_store_is_unavailable(world: World) -> None:
    world.current.look_up(KEY)
    world.unavailable, world.time = True, 100.0
    assert world.current.look_up(KEY).number == 1
    assert world.current.known(KEY) is not None
    with pytest.raises(Unavailable):
        world.current.look_up(ModelReference("other", None))


def test_a_damaged_version_does_not_become_current(world: World) -> None:
    world.current.look_up(KEY)
    world.publish()
    world.corrupt = {2}
    assert world.current.look_up(KEY).number == 1
    world.corrupt = set()
    assert world.current.look_up(KEY).number == 1  # it is not loaded again at once
    world.time += AGAIN
    assert world.current.look_up(KEY).number == 2


def test_changes_by_this_process_are_visible_at_once(world: World) -> None:
    world.current.look_up(KEY)
    world.current.follow_publish("m", world.publish())
    world.assert_remembered(2)
    look_ups = world.look_ups
    world.current.follow_publish("m", 2)
    assert world.look_ups == look_ups
    world.store.delete_model("m")
    world.current.follow("m")
    assert world.current.known(KEY) is None
    with pytest.raises(NameNotFound):
        world.current.look_up(KEY)


def test_a_look_up_that_began_before_a_change_does_not_undo_it(world: World) -> None:
    world.current.look_up(KEY)
    once: list[int] = []

    def slow(name: str, reference: str | None) -> Version:
        found = predict.choose(world.store, name, reference)
        if not once:
            once.append(1)
            world.publish()
            world.current.follow("m")  # as another thread would
        return found

    world.choose = slow
    assert world.current.look_up(KEY).number == 2
    world.assert_remembered(2)


def test_unknown_names_take_no_memory(world: World) -> None:
    for number in range(100):
        with pytest.raises(StoreError):
            world.current.look_up(ModelReference(f"n{number}", None))
        with pytest.raises(VersionNotFound):
            world.current.look_up(ModelReference("m", f"a{number}"))
    assert len(world.current) == 0


def test_the_number_of_remembered_references_is_bounded(tmp_path: Path) -> None:
    assert MOST <= 10_000
    world = World(tmp_path / "store", most=10)
    for number in range(30):
        world.publish()
        world.time += 1
        world.current.look_up(ModelReference("m", str(number + 1)))
    assert len(world.current) <= 10
    assert world.current.last_known(ModelReference("m", "30")) is not None
