import errno
import hashlib
import json
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from model_store import Collection, Damage, Store
from model_store.backends.backend import Backend
from model_store.backends.local import LocalBackend
from model_store.errors import (
    InvalidManifest,
    InvalidName,
    NameNotFound,
    ObjectNotFound,
    Unavailable,
    VersionCorrupt,
    VersionNotFound,
)
from tests.model_store.content import content
from tests.model_store.fixed_clock import FixedClock
from tests.model_store.memory_backend import MemoryBackend
from tests.model_store.source_files import source_files
from tests.model_store.verified import faults

FILES = {"weights.safetensors": b"weights", "plots/data.json": b"{}"}


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def models(root: Path, clock: FixedClock) -> Collection:
    return Collection(LocalBackend(root), "models", now=clock)


def content_folder(root: Path, number: int, name: str = "line") -> Path:
    record = json.loads((root / f"models/{name}/versions/{number}").read_bytes())
    return root / f"models/{name}/contents" / str(record["content"])


def flip_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_published_versions_are_complete(models: Collection, root: Path, tmp_path: Path) -> None:
    files = source_files(tmp_path, FILES)
    version = models.publish("line", {"b": [1, 2.5, None], "a": "é"}, files)
    assert (version.name, version.number, version.created_at) == ("line", 1, "2026-01-31T12:00:00.000000Z")
    assert version.manifest["files"]["weights.safetensors"] == {
        "sha256": hashlib.sha256(b"weights").hexdigest(),
        "bytes": 7,
    }
    canonical = json.dumps(version.manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert version.digest == hashlib.sha256(canonical).hexdigest()
    assert models.get("line", 1) == version == models.latest("line") == models.find("line", version.digest)
    assert {file: content(models, version, file) for file in FILES} == FILES
    assert not any(path.exists() for path in files.values())
    assert faults(models, LocalBackend(root)) == []


def test_the_digest_depends_on_the_content_alone(models: Collection) -> None:
    digests = {models.publish(name, {"x": 1}, {}).digest for name in ("a", "a", "b")}
    assert len(digests) == 1
    assert models.publish("a", {"x": 2}, {}).digest not in digests


def test_numbers_are_never_used_again(models: Collection) -> None:
    for number in (1, 2, 3):
        assert models.publish("line", {}, {}).number == number
    models.delete("line", 3)
    models.delete("line", 1)
    assert models.numbers("line") == [2]
    assert models.latest("line").number == 2
    assert models.publish("line", {}, {}).number == 4
    models.delete_all("line")
    assert models.names() == []
    assert models.publish("line", {}, {}).number == 5
    assert models.names() == ["line"]


class CallsBefore(MemoryBackend):
    """Calls a function right before a key is first used, to make a race certain."""

    def __init__(self, key: str, change: Callable[[Collection], None]) -> None:
        super().__init__()
        self.key, self.call = key, change

    def read(self, key: str) -> bytes:
        self._check(key)
        return super().read(key)

    def create(self, key: str, data: bytes) -> None:
        self._check(key)
        super().create(key, data)

    def _check(self, key: str) -> None:
        if key == self.key:
            self.key = ""
            self.call(Collection(self, "models"))


def test_a_number_deleted_during_a_publish_is_not_reused() -> None:
    def change(models: Collection) -> None:
        for _ in range(2):
            models.publish("line", {"by": "another"}, {})
        models.delete("line", 1)

    backend = CallsBefore("models/line/versions/1", change)
    models = Collection(backend, "models")
    assert models.publish("line", {"by": "us"}, {}).number == 3
    assert models.numbers("line") == [2, 3]
    assert models.get("line", 3).manifest["by"] == "us"
    assert faults(models, backend) == []


def test_latest_is_correct_during_concurrent_changes() -> None:
    backend = CallsBefore("", lambda models: None)
    models = Collection(backend, "models")
    for _ in range(2):
        models.publish("line", {}, {})

    def change(models: Collection) -> None:
        models.publish("line", {}, {})
        models.delete("line", 2)

    backend.key, backend.call = "models/line/versions/2", change
    assert models.latest_number("line") == 3


def test_missing_objects_raise_not_found(models: Collection) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: models.get("line", 1),
        lambda: models.latest("line"),
        lambda: models.numbers("line"),
        lambda: models.delete("line", 1),
        lambda: models.delete_all("line"),
    ]
    for call in calls:
        with pytest.raises(NameNotFound):
            call()
    assert models.find("line", "0" * 64) is None
    version = models.publish("line", {}, {})
    models.publish("line", {}, {})
    for number in (0, 3):
        with pytest.raises(VersionNotFound):
            models.get("line", number)
    with pytest.raises(ObjectNotFound):
        content(models, version, "absent")
    models.delete("line", 1)
    with pytest.raises(VersionNotFound):
        models.get("line", 1)


def test_a_deletion_is_visible_to_other_stores_and_removes_the_content(
    models: Collection, root: Path, tmp_path: Path
) -> None:
    version = models.publish("line", {}, source_files(tmp_path, FILES))
    folder = content_folder(root, 1)
    Collection(LocalBackend(root), "models").delete("line", 1)
    assert not folder.exists()
    with pytest.raises(NameNotFound):
        content(models, version, "weights.safetensors")
    with pytest.raises(NameNotFound):
        models.get("line", 1)


@pytest.mark.parametrize("manifest", [{"a": float("nan")}, {"a": "\ud800"}, {"a": {1}}, {"a": {1: 2, "1": 3}}])
def test_values_that_json_cannot_hold_are_refused(models: Collection, root: Path, manifest: dict[str, Any]) -> None:
    with pytest.raises(InvalidManifest):
        models.publish("line", manifest, {})
    assert models.names() == []
    assert not (root / "models").exists()


def test_illegal_names_are_refused(models: Collection, tmp_path: Path) -> None:
    with pytest.raises(InvalidName):
        models.publish("../x", {}, {})
    with pytest.raises(InvalidName):
        models.publish("line", {}, source_files(tmp_path, {"x": b""}) | {"../x": tmp_path})
    for call in (models.numbers, models.latest, models.delete_all):
        with pytest.raises(InvalidName):
            call("A")


def test_a_failed_publish_leaves_nothing(models: Collection, root: Path, tmp_path: Path) -> None:
    files = source_files(tmp_path, {"a": b"a", "b": b"b"})
    (tmp_path / "link").symlink_to(files["b"])
    with pytest.raises(Unavailable):
        models.publish("line", {}, {"a": files["a"], "b": tmp_path / "link"})
    assert models.names() == []
    assert list((root / "models/line/contents").iterdir()) == []


def test_a_large_file_that_cannot_be_flushed_is_not_published(
    models: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = source_files(tmp_path, {"a": bytes(2**24)})

    def fsync(descriptor: int) -> None:
        if os.fstat(descriptor).st_size >= 2**24:
            monkeypatch.undo()  # the system reports it once
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(Unavailable, match="Input/output error"):
        models.publish("line", {}, files)
    assert models.names() == []


def test_an_idempotency_key_publishes_once(models: Collection, root: Path) -> None:
    first = models.publish("line", {"x": 1}, {}, key="job")
    assert models.publish("line", {"x": 2}, {}, key="job") == first
    assert models.publish("line", {"x": 2}, {}, key="other").number == 2
    assert models.publish("line", {"x": 1}, {}, key="job", since=2).number == 3
    assert models.publish("line", {}, {}).number == 4
    assert models.publish("line", {}, {}).number == 5
    assert len(list((root / "models/line/contents").iterdir())) == 5


@pytest.mark.parametrize("backend", ["local", "memory"])
def test_concurrent_publishes_with_one_key_create_one_version(backend: str, root: Path) -> None:
    storage: Backend = LocalBackend(root) if backend == "local" else MemoryBackend()
    models = Collection(storage, "models")
    models.publish("line", {}, {})
    start = threading.Barrier(12)

    def publish(thread: int) -> int:
        start.wait()
        return models.publish(
            "line", {"thread": thread}, {}, key="job" if thread % 3 else f"own{thread}", since=1
        ).number

    with ThreadPoolExecutor(12) as threads:
        numbers = list(threads.map(publish, range(12)))
    assert len({number for thread, number in enumerate(numbers) if thread % 3}) == 1
    assert models.numbers("line") == [1, 2, 3, 4, 5, 6]
    assert len(storage.names("models/line/contents")) == 6
    assert faults(models, storage) == []


def test_sixteen_threads_get_sixteen_consecutive_numbers(root: Path) -> None:
    start = threading.Barrier(16)

    def publish(thread: int) -> tuple[int, Any]:
        models = Collection(LocalBackend(root), "models")
        start.wait()
        version = models.publish("line", {"thread": thread}, {})
        return version.number, version.manifest["thread"]

    with ThreadPoolExecutor(16) as threads:
        published = dict(threads.map(publish, range(16)))
    models = Collection(LocalBackend(root), "models")
    assert models.numbers("line") == list(range(1, 17)) == sorted(published)
    assert all(models.get("line", number).manifest["thread"] == thread for number, thread in published.items())


@pytest.mark.parametrize("file", ["weights.safetensors", "plots/data.json"])
@pytest.mark.parametrize("damage", [flip_bit, Path.unlink])
def test_a_damaged_file_affects_its_version_only(
    models: Collection, root: Path, tmp_path: Path, file: str, damage: Callable[[Path], None]
) -> None:
    other = {name: data + b"2" for name, data in FILES.items()}
    versions = [models.publish("line", {}, source_files(tmp_path, files)) for files in (FILES, other)]
    damage(root / "blobs" / hashlib.sha256(FILES[file]).hexdigest())
    with pytest.raises(VersionCorrupt) as caught:
        content(models, versions[0], file)
    assert (caught.value.number, caught.value.file) == (1, file)
    assert all(content(models, versions[1], each) == other[each] for each in FILES)
    assert [(fault.number, fault.file) for fault in faults(models, LocalBackend(root))] == [(1, file)]


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("record", flip_bit),
        ("record", lambda path: path.write_bytes(b"")),
        ("manifest", flip_bit),
        ("manifest", lambda path: path.write_bytes(b"")),
        ("manifest", Path.unlink),
    ],
)
def test_a_damaged_manifest_or_record_affects_its_version_only(
    models: Collection, root: Path, file: str, damage: Callable[[Path], None]
) -> None:
    for number in range(3):
        models.publish("line", {"number": number}, {})
    record = root / "models/line/versions/2"
    damage(record if file == "record" else content_folder(root, 2) / "manifest.json")
    with pytest.raises(VersionCorrupt):
        models.get("line", 2)
    assert models.numbers("line") == [1, 2, 3]
    assert [models.get("line", number).manifest["number"] for number in (1, 3)] == [0, 2]
    assert [(fault.name, fault.number) for fault in faults(models, LocalBackend(root))] == [("line", 2)]
    assert models.publish("line", {}, {}, key="job").number == 4
    models.delete("line", 2)
    assert models.numbers("line") == [1, 3, 4]
    assert faults(models, LocalBackend(root)) == []


def test_a_flipped_bit_in_the_manifest_is_detected(models: Collection, root: Path) -> None:
    models.publish("line", {"x": 1}, {})
    path = content_folder(root, 1) / "manifest.json"
    whole = path.read_bytes()
    for position in range(len(whole) * 8):
        data = bytearray(whole)
        data[position // 8] ^= 1 << position % 8
        path.write_bytes(data)
        with pytest.raises(VersionCorrupt):
            models.get("line", 1)
    assert faults(models, LocalBackend(root)) == [
        Damage("line", 1, "manifest.json", "does not have the digest that was published"),
    ]


def test_sweep_removes_only_old_leftovers(models: Collection, root: Path, clock: FixedClock) -> None:
    models.publish("line", {}, {})
    models.publish("line", {}, {})
    for kind in ("versions", "marks/versions"):  # as after a kill before the record
        (root / f"models/line/{kind}/2").unlink()
    leftover = len(list((root / "models/line/contents").iterdir()))
    assert leftover == 2
    Store(LocalBackend(root), now=clock).sweep(60)
    assert len(list((root / "models/line/contents").iterdir())) == 2
    clock.advance(61)
    Store(LocalBackend(root), now=clock).sweep(60)
    assert [path.name for path in (root / "models/line/contents").iterdir()] == [content_folder(root, 1).name]
    assert faults(models, LocalBackend(root)) == []


def test_sweep_keeps_a_name_with_an_unreadable_record(models: Collection, root: Path, clock: FixedClock) -> None:
    models.publish("line", {}, {})
    (root / "models/line/versions/1").write_bytes(b"{}")
    clock.advance(1000)
    Store(LocalBackend(root), now=clock).sweep(60)
    assert len(list((root / "models/line/contents").iterdir())) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="/proc counts the bytes that are read")
def test_a_whole_file_is_read_once_to_check_it(models: Collection, tmp_path: Path) -> None:
    size = 2**24
    version = models.publish("line", {}, source_files(tmp_path, {"weights": bytes(size)}))

    def read() -> int:
        return int(Path("/proc/self/io").read_text().split()[1])

    before = read()
    models.check_file(version, "weights")
    assert read() - before < 1.5 * size
