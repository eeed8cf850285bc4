"""Digests of files that have not changed since they were computed."""

import hashlib
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from io import BufferedReader
from pathlib import Path
from typing import Any

import pytest

from model_store import Store
from model_store.backends.local import LocalBackend
from model_store.clock import utc_now
from model_store.errors import VersionCorrupt
from model_store.known_digests import KnownDigests
from tests.model_store.content import content
from tests.model_store.memory_backend import MemoryBackend
from tests.model_store.source_files import source_files


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The inodes of the files that were digested."""
    inodes: list[int] = []
    file_digest = hashlib.file_digest

    def counted(file: BufferedReader, digest: str) -> Any:
        inodes.append(os.fstat(file.fileno()).st_ino)
        return file_digest(file, digest)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    return inodes


def in_an_hour() -> datetime:
    return utc_now() + timedelta(hours=1)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_an_unchanged_file_is_read_once(tmp_path: Path, read: list[int]) -> None:
    path, checked = tmp_path / "a", KnownDigests(in_an_hour)
    path.write_bytes(b"content")
    (tmp_path / "b").hardlink_to(path)  # the same file under another name
    for each in (path, tmp_path / "b", path):
        assert checked.sha256(each) == sha256(b"content")
    assert len(read) == 1
    assert checked.sha256(path, read=True) == sha256(b"content")
    assert len(read) == 2


def rewritten(path: Path) -> None:
    path.write_bytes(b"CONTENT")


def rewritten_with_its_old_time(path: Path) -> None:
    before = path.stat()
    path.write_bytes(b"CONTENT")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path: Path) -> None:
    before = path.stat()
    path.with_name("new").write_bytes(b"CONTENT")
    path.with_name("new").replace(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("change", [rewritten, rewritten_with_its_old_time, replaced])
def test_a_changed_file_is_read_again(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path, checked = tmp_path / "a", KnownDigests(in_an_hour)
    path.write_bytes(b"content")
    checked.sha256(path)
    before = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == before:  # the next tick of the file system's clock
        change(path)
    assert checked.sha256(path) == sha256(b"CONTENT")


def test_a_file_that_has_just_changed_is_not_remembered(tmp_path: Path, read: list[int]) -> None:
    path, checked = tmp_path / "a", KnownDigests()
    path.write_bytes(b"content")
    for data in (b"content", b"CONTENT"):
        path.write_bytes(data)
        assert checked.sha256(path) == sha256(data)
    assert len(read) == 2


def test_the_number_of_remembered_files_is_bounded(tmp_path: Path, read: list[int]) -> None:
    checked = KnownDigests(in_an_hour, most_files=2)
    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        path.write_bytes(path.name.encode())
    for path in (*paths, paths[1], paths[2], paths[0], paths[2]):
        assert checked.sha256(path) == sha256(path.name.encode())
    assert len(read) == 4  # each once, and `a` again


def test_the_copy_of_a_remote_file_is_read_once_and_its_damage_is_noticed(tmp_path: Path, read: list[int]) -> None:
    backend = MemoryBackend()
    store = Store(backend, now=in_an_hour)
    version = store.models.publish("line", {"format": 1}, source_files(tmp_path, {"weights": b"weights"}))
    read.clear()
    for _ in range(3):
        assert content(store.models, version, "weights") == b"weights"
    assert (len(read), backend.fetched) == (1, 1)
    with store.models.local_file(version, "weights") as path:
        before = path.stat().st_ctime_ns
        while path.stat().st_ctime_ns == before:  # the next tick of the file system's clock
            rewritten(path)
    assert content(store.models, version, "weights") == b"weights"
    assert backend.fetched == 2


def test_a_store_reads_a_file_once_and_notices_its_damage(tmp_path: Path, read: list[int]) -> None:
    store = Store(LocalBackend(tmp_path / "store"), now=in_an_hour)
    version = store.models.publish("line", {"format": 1}, source_files(tmp_path, {"weights": b"weights"}))
    read.clear()
    for _ in range(3):
        assert content(store.models, version, "weights") == b"weights"
    assert len(read) == 1
    assert store.verify() == []
    assert len(read) == 2  # verification always reads
    with store.models.local_file(version, "weights") as path:
        path.chmod(0o600)
        before = path.stat().st_ctime_ns
        while path.stat().st_ctime_ns == before:
            path.write_bytes(b"wEights")
    with pytest.raises(VersionCorrupt):
        store.models.check_file(version, "weights")
    with pytest.raises(VersionCorrupt):
        content(store.models, version, "weights")
