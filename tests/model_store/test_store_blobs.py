"""Versions share their files by SHA-256, and a sweep removes only what no version has."""

import hashlib
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_store import Store
from model_store.backends.backend import Backend
from model_store.backends.local import LocalBackend
from model_store.copying import copy_store
from model_store.errors import Unavailable, VersionCorrupt
from tests.examples import examples
from tests.model_store.content import content
from tests.model_store.fixed_clock import FixedClock
from tests.model_store.interleaving import InterleavingBackend
from tests.model_store.memory_backend import MemoryBackend
from tests.model_store.source_files import source_files

DAY = 86_400


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(params=["local", "memory"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    return LocalBackend(tmp_path / "store") if request.param == "local" else MemoryBackend()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def store(backend: Backend, clock: FixedClock) -> Store:
    return Store(backend, now=clock)


def publish(store: Store, folder: Path, data: bytes, name: str = "line") -> int:
    return store.models.publish(name, {}, source_files(folder, {"f": data})).number


def test_equal_files_are_stored_once_for_models_and_data_sets(store: Store, backend: Backend, tmp_path: Path) -> None:
    files = source_files(tmp_path, {"a": b"same", "b": b"same", "c": b"own"})
    store.models.publish("line", {}, files)
    publish(store, tmp_path, b"same", "other")
    store.datasets.publish("rows", {}, source_files(tmp_path, {"data": b"same"}))
    assert backend.names("blobs") == sorted({digest(b"same"), digest(b"own")})
    assert not any(path.exists() for path in files.values())
    assert content(store.datasets, store.datasets.get("rows", 1), "data") == b"same"
    assert store.examine().leftovers == 0


def test_deleting_a_version_removes_only_what_no_other_has(store: Store, backend: Backend, tmp_path: Path) -> None:
    for name, data in (("line", b"shared"), ("line", b"own"), ("other", b"shared")):
        publish(store, tmp_path, data, name)
    store.delete_model("line")
    assert store.examine().leftovers == 1
    store.sweep(DAY)
    assert backend.names("blobs") == [digest(b"shared")]
    assert content(store.models, store.models.get("other", 1), "f") == b"shared"
    store.delete_model("other")
    store.sweep(DAY)
    assert [*backend.names("blobs"), *backend.names("sweeps")] == []
    assert publish(store, tmp_path, b"shared") == 3
    assert content(store.models, store.models.get("line", 3), "f") == b"shared"


@pytest.mark.parametrize("damaged", [b"share!", b"shared.", b""])
def test_publishing_a_damaged_blob_again_restores_it(
    store: Store, backend: Backend, tmp_path: Path, damaged: bytes
) -> None:
    for name in ("line", "other"):
        publish(store, tmp_path, b"shared", name)
    backend.replace(f"blobs/{digest(b'shared')}", damaged)
    assert [(each.name, each.number, each.file) for each in store.verify()] == [("line", 1, "f"), ("other", 1, "f")]
    with pytest.raises(VersionCorrupt):
        content(store.models, store.models.get("line", 1), "f")
    publish(store, tmp_path, b"shared", "third")
    assert store.verify() == []
    assert content(store.models, store.models.get("line", 1), "f") == b"shared"


def test_verify_reads_a_shared_blob_once(tmp_path: Path) -> None:
    backend = MemoryBackend()
    store = Store(backend)
    for number in range(10):
        publish(store, tmp_path, b"shared", f"line{number}")
    opened = 0
    local_file = backend.local_file

    def counted(key: str, *, fresh: bool = False) -> Any:
        nonlocal opened
        opened += 1
        return local_file(key, fresh=fresh)

    backend.local_file = counted  # type: ignore[method-assign]
    assert store.verify() == []
    assert opened == 1


def as_earlier_releases_wrote(root: Path) -> None:
    """Moves each file of each version beside its manifest."""
    store = Store.open(root)
    for collection in (store.models, store.datasets):
        for name in collection.names():
            for number in collection.numbers(name):
                record = collection.records(name).read(number)
                files = root / collection.prefix / name / "contents" / record.content / "files"
                for file, described in collection.get(name, number).manifest["files"].items():
                    (files / file).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(root / "blobs" / described["sha256"], files / file)
    shutil.rmtree(root / "blobs")


def test_a_store_of_an_earlier_release_is_read_as_it_is(tmp_path: Path) -> None:
    root = tmp_path / "store"
    store = Store.open(root)
    for number in range(2):
        files = {"weights": b"w", "plots/points": str(number).encode()}
        store.models.publish("line", {"format": 1}, source_files(tmp_path, files))
    store.datasets.publish("rows", {}, source_files(tmp_path, {"data": b"1,2"}))
    as_earlier_releases_wrote(root)
    store = Store.open(root)
    store.sweep(-60)
    copy_store(root, tmp_path / "copy")
    for each in (store, Store.open(tmp_path / "copy")):
        report = each.examine()
        assert (report.damages, report.leftovers) == ([], 0)
        assert content(each.models, each.models.get("line", 2), "plots/points") == b"1"
        assert content(each.datasets, each.datasets.latest("rows"), "data") == b"1,2"
    own = next(root.glob("models/line/contents/*/files/weights"))
    own.write_bytes(b"x")
    assert [(fault.file, fault.reason) for fault in store.verify()] == [
        ("weights", "does not have the SHA-256 that was published")
    ]
    assert publish(store, tmp_path, b"w") == 3
    assert store.verify() == [], "the blob of the new version heals the old one"
    store.delete_model("line")
    store.sweep(DAY)
    assert list((root / "blobs").iterdir()) == list(root.glob("models/line/contents/*")) == []


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"{}")])
def test_no_blob_is_removed_while_a_manifest_cannot_be_read(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    root = tmp_path / "store"
    store = Store.open(root)
    publish(store, tmp_path, b"damaged", "line")
    publish(store, tmp_path, b"deleted", "other")
    store.delete_model("other")
    manifest = next(root.glob("models/line/contents/*/manifest.json"))
    whole = manifest.read_bytes()
    damage(manifest)
    Store.open(root).sweep(-60)
    assert len(list((root / "blobs").iterdir())) == 2
    manifest.write_bytes(whole)
    Store.open(root).sweep(-60)
    assert [path.name for path in (root / "blobs").iterdir()] == [digest(b"damaged")]
    assert store.verify() == []


def test_a_publish_that_a_sweep_took_for_broken_off_fails_and_leaves_no_version(
    backend: Backend, clock: FixedClock, tmp_path: Path
) -> None:
    """A publish that takes longer than a day: the sweep comes right before, or right after, its record."""
    store, sweeper = Store(backend, now=clock), Store(backend, now=clock)
    create = backend.create

    def slow(key: str, data: bytes) -> None:
        if "/versions/" in key and "marks" not in key:
            clock.advance(2 * DAY)
            sweeper.sweep(DAY)
        create(key, data)

    backend.create = slow  # type: ignore[method-assign]
    with pytest.raises(Unavailable, match="sweep"):
        publish(store, tmp_path, b"slow")
    backend.create = create  # type: ignore[method-assign]
    assert store.models.names() == []
    assert publish(store, tmp_path, b"slow") == 2
    assert store.verify() == []


FILES = [b"a", b"b", b"c"]


def random_work(store: Store, folder: Path, rng: random.Random) -> Callable[[], Any]:
    """A few operations of one caller; a list of what was acknowledged."""
    choices = [
        rng.choice(["publish", "publish", "import", "delete", "delete", "sweep"]) for _ in range(rng.randint(1, 3))
    ]
    picks = [(rng.choice(FILES), rng.randint(1, 3), rng.choice(["line", "other"])) for _ in choices]

    def work() -> list[tuple[str, int, bytes]]:
        done = []
        for choice, (data, number, name) in zip(choices, picks, strict=True):
            match choice:
                case "publish":
                    done.append((name, publish(store, folder, data, name), data))
                case "import":
                    manifest = {"files": {"f": {"sha256": digest(data), "bytes": len(data)}}}
                    version, _ = store.models.take(name, manifest, source_files(folder, {"f": data}))
                    done.append((name, version.number, data))
                case "delete":
                    if store.models.has(name, number):
                        store.delete_version(name, number)
                case _:
                    store.sweep(DAY)
        return done

    return work


class Interrupted(MemoryBackend):
    """Calls `meanwhile` before the storage call with that number."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], object] | None = None
        self.left = 0

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0 and self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()

    def read(self, key: str) -> bytes:
        self._count()
        return super().read(key)

    def create(self, key: str, data: bytes) -> None:
        self._count()
        super().create(key, data)

    def names(self, prefix: str) -> list[str]:
        self._count()
        return super().names(prefix)

    def delete(self, prefix: str) -> None:
        self._count()
        super().delete(prefix)


@pytest.mark.parametrize("within", ["sweep", "publish"])
def test_a_publish_and_a_sweep_within_each_other_keep_the_file_that_both_are_about(tmp_path: Path, within: str) -> None:
    """One runs within the other, before each of its storage calls in turn."""
    outcomes, step, interrupted = set(), 0, True
    while interrupted:
        step += 1
        backend = Interrupted()
        store, other = Store(backend), Store(backend)
        for data in (b"kept", b"b"):
            publish(store, tmp_path, data)
        store.delete_version("line", 2)

        def sweep(store: Store = store) -> None:
            store.sweep(DAY)

        def publish_again(other: Store = other) -> None:
            publish(other, tmp_path, b"b")

        backend.left = step
        backend.meanwhile = publish_again if within == "sweep" else sweep
        (sweep if within == "sweep" else publish_again)()
        interrupted = backend.meanwhile is None
        if interrupted:
            assert store.verify() == [], step
            assert content(store.models, store.models.get("line", 3), "f") == b"b"
            outcomes.add("its own file" if backend.keys("/files/f") else "a blob")
    assert step > 15
    assert outcomes == ({"its own file", "a blob"} if within == "sweep" else {"a blob"})


def test_no_interleaving_of_publish_import_delete_and_sweep_loses_a_file(tmp_path: Path) -> None:
    """Each caller has a store of its own, as a process has. A version that exists in the end is whole."""
    for seed in range(examples(150)):
        rng = random.Random(seed)  # noqa: S311 - no secret
        backend = InterleavingBackend()
        for name, data in (("line", b"a"), ("line", b"b"), ("other", b"a")):
            publish(Store(backend), tmp_path, data, name)
        Store(backend).delete_version("line", 2)  # `b` is for the sweep
        work = [random_work(Store(backend), tmp_path, rng) for _ in range(rng.randint(2, 4))]
        answers = backend.run_interleaved(work, rng)
        store = Store(backend)
        errors = [answer for answer in answers if not isinstance(answer, list)]
        assert all("has no version" in str(each) or "Nothing is published" in str(each) for each in errors), (
            seed,
            errors,
        )
        assert store.verify() == [], seed
        for name, number, data in [each for answer in answers if isinstance(answer, list) for each in answer]:
            if store.models.has(name, number):
                assert content(store.models, store.models.get(name, number), "f") == data, seed
        store.sweep(DAY)
        assert (store.verify(), store.examine().leftovers, backend.names("sweeps")) == ([], 0, []), seed
