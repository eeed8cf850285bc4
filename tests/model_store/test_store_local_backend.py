# ruff: noqa: S603 - the processes started are our own
import os
import subprocess
import sys
from pathlib import Path

import pytest

from model_store.backends.backend import Backend
from model_store.backends.local import LocalBackend
from model_store.errors import NoSpace, StoreError, Unavailable
from model_store.testing import BackendContract


class TestLocalBackend(BackendContract):
    @pytest.fixture
    def backend(self, tmp_path: Path) -> Backend:
        return LocalBackend(tmp_path / "store")

    def test_writes_leave_no_temporary_file(self, backend: Backend, tmp_path: Path) -> None:
        backend.create("a/b", b"one")
        backend.replace("a/b", b"two")
        backend.delete("a")
        assert list((tmp_path / "store/tmp").iterdir()) == []

    def test_another_process_reads_what_was_written(self, backend: Backend, tmp_path: Path) -> None:
        backend.create("a/b", b"one")
        assert LocalBackend(tmp_path / "store").read("a/b") == b"one"

    @pytest.mark.parametrize("key", ["", "a//b", "../a", "a/../b", "/a", "a/.", "tmp/a", "a/\0"])
    def test_keys_outside_the_root_are_refused(self, backend: Backend, key: str) -> None:
        with pytest.raises(ValueError, match="not a key"):
            backend.create(key, b"")

    def test_a_symbolic_link_as_source_is_refused(self, backend: Backend, tmp_path: Path) -> None:
        link = tmp_path / "link"
        link.symlink_to("/etc/passwd")
        with pytest.raises(Unavailable):
            backend.create_file("a/b", link)

    def test_moves_a_file_in_from_another_file_system(self, backend: Backend, tmp_path: Path) -> None:
        shared_memory = Path("/dev/shm")  # noqa: S108 - another file system is the point
        if not shared_memory.is_dir() or shared_memory.stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("there is only one file system")
        source = shared_memory / f"model-store-{os.getpid()}"
        source.write_bytes(b"content")
        try:
            backend.create_file("a/b", source)
            assert backend.read("a/b") == b"content"
            assert not source.exists()
        finally:
            source.unlink(missing_ok=True)

    def test_only_old_temporary_files_and_folders_are_removed(self, backend: Backend, tmp_path: Path) -> None:
        temporary = tmp_path / "store/tmp"
        for name in ("old", "young"):
            (temporary / name).write_bytes(b"")
        (temporary / "folder").mkdir()
        (temporary / "folder/file").write_bytes(b"")
        for name in ("old", "folder"):
            os.utime(temporary / name, (0, 0))
        backend.clear_temporary(3600)
        assert [path.name for path in temporary.iterdir()] == ["young"]


FULL = """
import resource, sys
from pathlib import Path
from model_store.backends.local import LocalBackend
from model_store.collection import Collection
from model_store.errors import NoSpace
root = Path(sys.argv[1])
backend = LocalBackend(root)
models = Collection(backend, "models")
models.publish("m", {"a": 1}, {})
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for write in (
    lambda: backend.create("x/a", b"0" * 5000),
    lambda: backend.replace("x/a", b"0" * 5000),
    lambda: models.publish("m", {"a": "0" * 5000}, {}),
):
    try:
        write()
    except NoSpace:
        print("no space")
print(models.numbers("m"), backend.names("x"), backend.names("models/m/versions"))
print(len(list((root / "tmp").iterdir())), len(backend.names("models/m/contents")))
"""


def test_a_full_disk_raises_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, tmp_path], capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stdout.split("\n") == ["no space"] * 3 + ["[1] [] ['1']", "0 1", ""]


def test_a_failed_fsync_is_an_error_and_nothing_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = LocalBackend(tmp_path / "store")
    real = os.fsync
    backend.create("a/b", b"one")
    outcomes = []
    for failing in (1, 2):  # the sync of the file, and of the folder
        calls: list[int] = []

        def fsync(descriptor: int, calls: list[int] = calls, failing: int = failing) -> None:
            calls.append(descriptor)
            if len(calls) == failing:
                raise OSError(28 if failing == 1 else 5, "fsync failed")
            real(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(StoreError) as caught:
            backend.create("a/c", b"two")
        outcomes.append(type(caught.value))
    assert outcomes == [NoSpace, Unavailable]
    assert backend.names("a") == ["b"]
    assert list((tmp_path / "store/tmp").iterdir()) == []


def test_a_missing_store_raises_instead_of_reading_as_empty(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path / "store")
    (tmp_path / "store").rename(tmp_path / "elsewhere")
    for call in (backend.read, backend.names, lambda key: backend.local_file(key).__enter__()):
        with pytest.raises(Unavailable, match="does not exist"):
            call("models/line")
    (tmp_path / "elsewhere").rename(tmp_path / "store")
    assert backend.names("models/line") == []
