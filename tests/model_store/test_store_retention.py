"""Retention rules delete only what they say, and never what is needed."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_store import Store
from model_store.backends.local import LocalBackend
from model_store.errors import AliasCorrupt, NameNotFound, RetentionCorrupt, RetentionNotFound
from model_store.retention import Rule
from tests.examples import examples
from tests.model_store.fixed_clock import FixedClock
from tests.model_store.memory_backend import MemoryBackend

DAY = 86_400


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(root: Path, clock: FixedClock) -> Store:
    """`line` with versions 1 to 10, one a day; the last was published a day ago."""
    store = Store(LocalBackend(root), now=clock)
    for number in range(10):
        store.models.publish("line", {"number": number}, {})
        clock.advance(DAY)
    return store


def apply(store: Store, used: frozenset[int] = frozenset()) -> list[int]:
    expired = store.retention.expired("line", store.retention.get("line"))
    return [each for each in expired if store.retention.apply("line", each, lambda: each in used)]  # noqa: B023


def test_a_version_that_no_part_of_the_rule_keeps_is_deleted(store: Store) -> None:
    for last, days, expected in ((3, None, 7), (None, 4, 6), (3, 5, 5), (6, 2, 4), (100, None, 0), (None, 10**9, 0)):
        rule = Rule(last, days)
        assert store.retention.expired("line", rule) == list(range(1, expected + 1)), rule
    store.retention.put("line", 3, 5)
    assert apply(store) == [1, 2, 3, 4, 5]
    assert store.models.numbers("line") == [6, 7, 8, 9, 10]
    assert apply(store) == []
    assert store.verify() == []


def test_the_latest_and_versions_of_aliases_and_jobs_are_kept(store: Store, clock: FixedClock) -> None:
    for version in (1, 2, 4):
        store.aliases.set("line", "production", version)
    clock.advance(1000 * DAY)
    store.retention.put("line", None, 1)
    assert apply(store, used=frozenset({7})) == [1, 3, 5, 6, 8, 9]
    assert store.aliases.rollback("line", "production").version == 2


def test_an_alias_that_is_set_meanwhile_keeps_its_version(store: Store) -> None:
    store.retention.put("line", 1, None)
    expired = store.retention.expired("line", store.retention.get("line"))
    store.aliases.set("line", "production", 5)
    store.delete_version("line", 10)
    store.delete_version("line", 9)
    assert [each for each in expired if store.retention.apply("line", each, lambda: False)] == [1, 2, 3, 4, 6, 7]


def test_a_damaged_alias_or_rule_deletes_nothing(store: Store, root: Path) -> None:
    store.aliases.set("line", "production", 1)
    store.retention.put("line", 1, None)
    alias = root / "models/line/aliases/production/1"
    whole = alias.read_bytes()
    alias.write_bytes(b"{}")
    with pytest.raises(AliasCorrupt):
        apply(store)
    alias.write_bytes(whole)
    rule = root / "models/line/retention/1"
    rule.write_bytes(rule.read_bytes().replace(b'"last": 1', b'"last": 2'))
    with pytest.raises(RetentionCorrupt):
        apply(store)
    assert [fault.file for fault in store.verify()] == ["retention/1"]
    store.retention.put("line", 8, None)
    assert apply(store) == [2]


def test_a_rule_is_replaced_deleted_and_gone_with_its_model(store: Store) -> None:
    with pytest.raises(RetentionNotFound):
        store.retention.get("line")
    store.retention.put("line", 3, None)
    store.retention.put("line", None, 7)
    assert (store.retention.get("line").last, store.retention.get("line").days) == (None, 7)
    assert store.retention.delete("line").days == 7
    for _ in range(2):
        with pytest.raises(RetentionNotFound):
            store.retention.delete("line")
    store.retention.put("line", 3, None)
    store.delete_model("line")
    store.models.publish("line", {}, {})
    with pytest.raises(RetentionNotFound):
        store.retention.get("line")
    with pytest.raises(NameNotFound):
        store.retention.put("other", 1, None)
    for last, days in ((None, None), (0, None), (1, -1)):
        with pytest.raises(ValueError, match="keeps"):
            store.retention.put("line", last, days)


@settings(max_examples=examples(30), deadline=None)
@given(
    ages=st.lists(st.integers(0, 5), min_size=1, max_size=8),
    last=st.none() | st.integers(1, 9),
    days=st.integers(1, 20),
    aliases=st.lists(st.integers(1, 8), max_size=3),
)
def test_what_expires_is_what_nothing_keeps(ages: list[int], last: int | None, days: int, aliases: list[int]) -> None:
    clock = FixedClock()
    store = Store(MemoryBackend(), now=clock)
    moments = []
    for each in ages:
        clock.advance(each * DAY)
        moments.append(clock.moment)
        store.models.publish("line", {}, {})
    targets = [each for each in aliases if each <= len(ages)]
    for target in targets:
        store.aliases.set("line", "production", target)
    pointed = [each for place, each in enumerate(targets) if place == 0 or each != targets[place - 1]]
    kept = {len(ages), *pointed[-2:]}
    kept |= set(range(len(ages) - last + 1, len(ages) + 1)) if last else set()
    kept |= {number for number, moment in enumerate(moments, 1) if (clock.moment - moment).days <= days}
    assert store.retention.expired("line", Rule(last, days)) == sorted(set(range(1, len(ages) + 1)) - kept)
