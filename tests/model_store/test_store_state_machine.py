"""The store behaves like a simple model of dictionaries and lists."""

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from model_store import Store
from model_store.backends.backend import Backend
from model_store.backends.local import LocalBackend
from model_store.errors import (
    AliasCorrupt,
    AliasNotFound,
    NameNotFound,
    NothingToRollBackTo,
    PreconditionFailed,
    StoreError,
    VersionInUse,
    VersionNotFound,
)
from tests.examples import examples
from tests.model_store.content import content
from tests.model_store.memory_backend import MemoryBackend
from tests.model_store.source_files import source_files

NAMES = st.sampled_from(["a", "b"])
ALIASES = st.sampled_from(["production", "staging"])
NUMBERS = st.integers(1, 6)
EXPECTED = st.none() | st.integers(1, 5)


class StoreMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.backend = self.make_backend()
        self.store = Store(self.backend)
        self.versions: dict[str, dict[int, Any]] = {"a": {}, "b": {}}
        self.used = {"a": 0, "b": 0}
        self.keys: dict[tuple[str, str], int] = {}
        self.logs: dict[tuple[str, str], list[int | None]] = {}

    def make_backend(self) -> Backend:
        return MemoryBackend()

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule(name=NAMES, value=st.integers(0, 3), content=st.binary(max_size=9), key=st.none() | st.sampled_from("kl"))
    def publish(self, name: str, value: int, content: bytes, key: str | None) -> None:
        version = self.store.models.publish(
            name, {"value": value}, source_files(self.folder, {"f": content}), key=key, since=0
        )
        existing = self.keys.get((name, key)) if key is not None else None
        if existing in self.versions[name]:
            assert version.number == existing
            return
        self.used[name] += 1
        assert version.number == self.used[name]
        self.versions[name][version.number] = (value, content)
        if key is not None:
            self.keys[name, key] = version.number

    @rule(name=NAMES, value=st.integers(0, 3))
    def take(self, name: str, value: int) -> None:
        """Import a bundle of that value: the newest version with its digest, or a new one."""
        content = str(value).encode()
        described = {"f": {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}}
        manifest = {"value": value, "files": described}
        version, new = self.store.models.take(name, manifest, source_files(self.folder, {"f": content}))
        existing = [number for number, each in self.versions[name].items() if each == (value, content)]
        assert new == (not existing)
        if existing:
            assert version.number == max(existing)
            return
        self.used[name] += 1
        assert version.number == self.used[name]
        self.versions[name][version.number] = (value, content)

    @rule(name=NAMES, alias=ALIASES)
    def damage_alias(self, name: str, alias: str) -> None:
        """A damaged alias raises, and can be set again."""
        if self.current(name, alias) is None:
            return
        entry = self.store.aliases.get(name, alias)
        key = f"models/{name}/aliases/{alias}/{entry.number}"
        whole = self.backend.read(key)
        self.backend.replace(key, whole.replace(b'"version": ', b'"version": 1'))
        assert self.outcome(lambda: self.store.resolve(name, alias)) is AliasCorrupt
        assert self.store.aliases.all(name)[alias].damaged
        assert [fault.file for fault in self.store.verify()] == [f"aliases/{alias}/{entry.number}"]
        self.backend.replace(key, whole)

    @rule(name=NAMES, number=NUMBERS)
    def delete_version(self, name: str, number: int) -> None:
        in_use = any(of == name and self.current(name, alias) == number for of, alias in self.logs)
        error = self.outcome(lambda: self.store.delete_version(name, number))
        if number not in self.versions[name]:
            assert error is (VersionNotFound if self.versions[name] else NameNotFound)
        elif in_use:
            assert error is VersionInUse
        else:
            assert error is None
            del self.versions[name][number]

    @rule(name=NAMES)
    def delete_model(self, name: str) -> None:
        error = self.outcome(lambda: self.store.delete_model(name))
        assert error is (None if self.versions[name] else NameNotFound)
        self.versions[name] = {}
        for (of, alias), log in self.logs.items():
            if of == name and self.current(name, alias) is not None:
                log.append(None)

    @rule(name=NAMES, alias=ALIASES, number=NUMBERS, expected=EXPECTED, absent=st.booleans())
    def set_alias(self, name: str, alias: str, number: int, expected: int | None, absent: bool) -> None:
        error = self.outcome(
            lambda: self.store.aliases.set(name, alias, number, expected=expected, absent=absent),
        )
        log = self.logs.get((name, alias), [])
        if self.is_lost(name, alias, expected) or (absent and self.current(name, alias) is not None):
            assert error is PreconditionFailed
        elif number not in self.versions[name]:
            assert error is (VersionNotFound if self.versions[name] else NameNotFound)
        else:
            assert error is None
            if self.current(name, alias) != number:
                self.logs[name, alias] = [*log, number]

    @rule(name=NAMES, alias=ALIASES, expected=EXPECTED)
    def delete_alias(self, name: str, alias: str, expected: int | None) -> None:
        error = self.outcome(lambda: self.store.aliases.delete(name, alias, expected=expected))
        if self.is_lost(name, alias, expected):
            assert error is PreconditionFailed
        elif self.current(name, alias) is None:
            assert error is AliasNotFound
        else:
            assert error is None
            self.logs[name, alias].append(None)

    @rule(name=NAMES, alias=ALIASES, expected=EXPECTED)
    def roll_back(self, name: str, alias: str, expected: int | None) -> None:
        error = self.outcome(lambda: self.store.aliases.rollback(name, alias, expected=expected))
        log = self.logs.get((name, alias), [])
        if self.is_lost(name, alias, expected):
            assert error is PreconditionFailed
        elif self.current(name, alias) is None:
            assert error is AliasNotFound
        elif len(log) < 2 or log[-2] not in self.versions[name]:
            assert error is NothingToRollBackTo
        else:
            assert error is None
            log.append(log[-2])

    @rule()
    def sweep(self) -> None:
        self.store.sweep(0)

    @invariant()
    def equals_the_model(self) -> None:
        models = self.store.models
        assert models.names() == [name for name in "ab" if self.versions[name]]
        for name in models.names():
            assert models.numbers(name) == sorted(self.versions[name])
            assert self.store.resolve(name, "latest").number == max(self.versions[name])
            for number, (value, expected) in self.versions[name].items():
                version = models.get(name, number)
                assert version.manifest["value"] == value
                assert content(models, version, "f") == expected
        for (name, alias), log in self.logs.items():
            assert [entry.version for entry in self.store.aliases.history(name, alias)] == log
            if self.current(name, alias) is not None:
                assert self.store.resolve(name, alias).number == log[-1]
        assert self.store.verify() == []

    def current(self, name: str, alias: str) -> int | None:
        return self.logs.get((name, alias), [None])[-1]

    def is_lost(self, name: str, alias: str, expected: int | None) -> bool:
        if expected is None:
            return False
        return self.current(name, alias) is None or len(self.logs[name, alias]) != expected

    def outcome(self, act: Any) -> type[StoreError] | None:
        try:
            act()
        except StoreError as error:
            return type(error)
        return None


class LocalStoreMachine(StoreMachine):
    def make_backend(self) -> Backend:
        return LocalBackend(self.folder / "store")


def test_in_memory() -> None:
    thorough = settings(max_examples=examples(40), stateful_step_count=40, deadline=None, database=None)
    run_state_machine_as_test(StoreMachine, settings=thorough)


def test_on_disk() -> None:
    short = settings(max_examples=examples(20), stateful_step_count=25, deadline=None, database=None)
    run_state_machine_as_test(LocalStoreMachine, settings=short)
