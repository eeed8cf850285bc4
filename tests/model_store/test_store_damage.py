"""A damaged file of the store: it is detected before it is used, verify names it, and all else works."""

import errno
import os
import random
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from model_store import Store
from model_store.backends.local import LocalBackend
from model_store.errors import Corrupt, StoreError, Unavailable, VersionCorrupt
from tests.examples import examples
from tests.model_store.content import content
from tests.model_store.source_files import source_files

DAMAGED = "damaged"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store of two models and a data set, with deleted versions and moved aliases, which no test changes."""
    tmp_path = tmp_path_factory.mktemp("original")
    store = Store.open(tmp_path / "store")
    for name in ("line", "other"):
        for number in range(5):
            points = f"[1, '{name}', {number}]".encode()  # no two versions share a file, and so none the damage to one
            files = source_files(tmp_path, {"weights": f"{name}{number}".encode(), "plots/points": points})
            store.models.publish(name, {"number": number, "format": 1}, files, key=f"job{number}")
        for version in (1, 2, 3):
            store.aliases.set(name, "production", version)
        store.aliases.set(name, "staging", 3)
        store.aliases.delete(name, "staging")
        for number in (2, 5):
            store.delete_version(name, number)
        store.aliases.set(name, "canary", 4)
    store.datasets.publish("rows", {"format": 2}, source_files(tmp_path, {"data": b"1,2"}))
    store.sweep(86_400)  # removes the files of the deleted versions
    return tmp_path / "store"


@pytest.fixture
def store(original: Path, root: Path) -> Store:
    """A copy of that store."""
    shutil.copytree(original, root)
    return Store.open(root)


def answers(store: Store) -> dict[str, Any]:
    """The answer to every query, each separately."""
    queries: dict[str, Callable[[], Any]] = {"models": store.models.names, "datasets": store.datasets.names}
    for collection, name in ((store.models, "line"), (store.models, "other"), (store.datasets, "rows")):
        queries[f"{name} numbers"] = partial(collection.numbers, name)
        queries[f"{name} latest"] = partial(collection.latest_number, name)
        for number in range(1, 7):
            queries[f"{name} {number}"] = partial(read, collection, name, number)
    for name in ("line", "other"):
        for alias in ("production", "staging", "canary"):
            queries[f"{name} {alias}"] = partial(store.aliases.get, name, alias)
            queries[f"{name} {alias} history"] = partial(lambda *of: list(store.aliases.history(*of)), name, alias)
    return {question: outcome_of(query) for question, query in queries.items()}


def read(collection: Any, name: str, number: int) -> Any:
    version = collection.get(name, number)
    return version, {file: content(collection, version, file) for file in version.manifest["files"]}


def outcome_of(query: Callable[[], Any]) -> Any:
    try:
        answer = query()
    except Corrupt:
        return DAMAGED
    except StoreError as error:
        return type(error)
    if isinstance(answer, list):
        return [DAMAGED if getattr(each, "damaged", False) else each for each in answer]
    return answer


def flips(data: bytes, rng: random.Random, count: int) -> Iterator[bytes]:
    for place in rng.sample(range(len(data) * 8), min(count, len(data) * 8)):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        yield bytes(flipped)


def damages(path: Path, files: list[Path], rng: random.Random) -> Iterator[bytes | None]:
    data = path.read_bytes()
    yield from flips(data, rng, examples(2))
    yield from (data[: len(data) // 2], data[:-1], b"", b"\0" * len(data), b"{}", None)
    for other in rng.sample(files, min(examples(4), len(files))):
        if other.read_bytes() != data:
            yield other.read_bytes()


def test_damage_is_detected_and_affects_nothing_else(store: Store, root: Path) -> None:
    before, rng = answers(store), random.Random(1)  # noqa: S311 - no secret
    assert store.verify() == []
    contents = [path for path in sorted(root.rglob("*")) if path.is_file() and path.stat().st_size]
    for path in [path for path in contents if "other" not in path.parts]:
        whole = path.read_bytes()
        for damage in damages(path, contents, rng):
            path.unlink() if damage is None else path.write_bytes(damage)
            after = answers(store)
            changed = [question for question in before if after[question] != before[question]]
            for question in changed:
                now = after[question]
                entries = zip(now, before[question], strict=True) if isinstance(now, list) else [(now, None)]
                assert all(one in (DAMAGED, other) for one, other in entries), (path, damage, question, now)
            assert len({question.removesuffix(" history") for question in changed}) <= 1, (path, damage, changed)
            assert store.verify(), (path, damage)
            path.write_bytes(whole)
    assert answers(store) == before


def test_a_version_that_is_damaged_or_without_record_can_be_deleted(store: Store, root: Path) -> None:
    content = next(path for path in (root / "models/line/contents").iterdir() if b'"number":3' in manifest(path))
    for damaged in (root / "models/line/versions/1", content / "manifest.json"):
        damaged.unlink()
    assert store.models.numbers("line") == [1, 3, 4]
    for number in (1, 4):
        with pytest.raises(VersionCorrupt):
            store.models.get("line", number)
    store.aliases.delete("line", "canary")
    for number in (1, 4):
        assert store.number("line", str(number)) == number
        store.delete_version("line", number)
    assert store.models.numbers("line") == [3]
    assert store.verify() == []


def manifest(content: Path) -> bytes:
    return (content / "manifest.json").read_bytes()


def test_an_alias_without_its_newest_entry_fails_until_it_is_set_again(store: Store, root: Path) -> None:
    (root / "models/line/aliases/production/3").unlink()
    with pytest.raises(Corrupt):
        store.resolve("line", "production")
    assert store.aliases.set("line", "production", 1).number == 4
    assert store.resolve("line", "production").number == 1


def test_content_outlives_the_loss_of_its_record(store: Store, root: Path) -> None:
    (root / "models/line/versions/4").unlink()
    before = sorted((root / "models/line/contents").iterdir())
    store.sweep(-60)
    assert sorted((root / "models/line/contents").iterdir()) == before


STRANGERS = [
    *("README", "models/README", "models/line/notes.txt", "models/line/versions/3.bak", "models/line/versions/03"),
    *("models/line/versions/-1", "models/line/versions/1.5", "models/line/aliases/Production", "datasets/x~"),
    *("models/line/aliases/production/1.bak", "models/line/aliases/production/9999999999999999999999"),
    *("models/line/contents/old", "models/line/uses/one", "models/line/uses/3/x", "models/x.txt"),
]


@pytest.mark.parametrize("place", STRANGERS)
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_foreign_files_are_ignored(store: Store, root: Path, place: str, kind: str) -> None:
    before, path = answers(store), root / place
    path.mkdir(parents=True) if kind == "folder" else path.write_bytes(b"x")
    assert answers(store) == before
    store.sweep(0)
    named = [f"{fault.name}/{fault.file}" for fault in store.verify()]
    if place != "README" and (place, kind) != ("models/x.txt", "folder"):  # an empty folder may belong to a name
        assert [each for each in named if path.name in each], named
    assert store.models.publish("line", {}, {}).number == 6
    assert store.aliases.set("line", "production", 6).number == 4


def test_a_folder_in_place_of_a_file_is_damage(store: Store, root: Path) -> None:
    before = answers(store)
    for place in ("models/line/versions/6", "models/line/aliases/production/4", "models/line/uses/3/3"):
        (root / place).mkdir()
    assert answers(store) == before
    assert len(store.verify()) == 3
    assert store.models.publish("line", {}, {}).number == 7
    assert store.aliases.set("line", "production", 7).version == 7
    store.delete_version("line", 3)
    assert store.models.numbers("line") == [1, 4, 7]


def test_an_unreadable_entry_leaves_the_rest_of_the_alias_history(
    store: Store, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = LocalBackend.read

    def stuck(self: LocalBackend, key: str) -> bytes:
        if key == "models/line/aliases/production/2":
            raise Unavailable(os.strerror(errno.EIO))
        return read(self, key)

    monkeypatch.setattr(LocalBackend, "read", stuck)
    history = list(store.aliases.history("line", "production"))
    assert [(entry.number, entry.version, entry.damaged) for entry in history] == [
        (1, 1, False),
        (2, None, True),
        (3, 3, False),
    ]


@pytest.mark.parametrize("fault", [errno.EIO, errno.EACCES])
def test_verify_reports_unreadable_files_and_continues(
    store: Store, root: Path, monkeypatch: pytest.MonkeyPatch, fault: int
) -> None:
    before = answers(store)
    paths = [path for path in sorted(root.rglob("*")) if "tmp" not in path.parts and "marks" not in path.parts]
    stuck: list[Path] = []
    open_file, listdir = Path.open, os.listdir

    def opened(path: Path, *arguments: Any, **options: Any) -> Any:
        if path in stuck:
            raise OSError(fault, os.strerror(fault), str(path))
        return open_file(path, *arguments, **options)

    def listed(path: Any) -> list[str]:
        if path in stuck:
            raise OSError(fault, os.strerror(fault), str(path))
        return listdir(path)

    monkeypatch.setattr(Path, "open", opened)
    monkeypatch.setattr(os, "listdir", listed)
    for path in paths:
        stuck[:] = [path]
        after = answers(store)
        changed = {question: answer for question, answer in after.items() if answer != before[question]}
        assert all(answer in (DAMAGED, Unavailable) for answer in changed.values()), (path, changed)
        own = path.relative_to(root).parts
        if len(own) > 1:
            assert not [question for question in changed if own[1] not in question], (path, changed)
            assert after["models"] == before["models"]
        if path.is_file() and "versions" in own:
            assert after[f"{own[1]} numbers"] == before[f"{own[1]} numbers"]
        assert store.verify() or own[-1] == "files", path
        stuck.clear()
    assert answers(store) == before
