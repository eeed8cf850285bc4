"""What every backend must do, as tests for pytest. The test of a backend is a subclass with the fixture `backend`:

class TestMine(BackendContract):
    @pytest.fixture
    def backend(self, tmp_path):
        return MyBackend(tmp_path)
"""

import os
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path

import pytest

from model_store import Store
from model_store.backends.backend import Backend
from model_store.errors import ObjectExists, ObjectNotFound

PUBLISHERS = int(os.environ.get("PUBLISHERS", "8"))


class BackendContract(ABC):
    @abstractmethod
    @pytest.fixture
    def backend(self, tmp_path: Path) -> Backend: ...

    def test_created_content_can_be_read(self, backend: Backend) -> None:
        backend.create("a/b/c", b"\0one")
        assert backend.read("a/b/c") == b"\0one"

    def test_creates_only_once(self, backend: Backend) -> None:
        backend.create("a/b", b"one")
        with pytest.raises(ObjectExists):
            backend.create("a/b", b"two")
        assert backend.read("a/b") == b"one"

    def test_exactly_one_of_several_concurrent_creates_succeeds(self, backend: Backend) -> None:
        def create(number: int) -> bool:
            try:
                backend.create("a/b", str(number).encode() * 1000)
            except ObjectExists:
                return False
            return backend.read("a/b") == str(number).encode() * 1000

        with ThreadPoolExecutor(8) as threads:
            assert sum(threads.map(create, range(32))) == 1

    def test_replace_works_with_and_without_existing_content(self, backend: Backend) -> None:
        backend.replace("a/b", b"one")
        backend.replace("a/b", b"two")
        assert backend.read("a/b") == b"two"

    @pytest.mark.parametrize("key", ["absent", "a", "a/b/below"])
    def test_absent_keys_are_not_found(self, backend: Backend, key: str) -> None:
        backend.create("a/b", b"one")
        with pytest.raises(ObjectNotFound):
            backend.read(key)
        with pytest.raises(ObjectNotFound):
            backend.read_range(key, 0, 1)
        with pytest.raises(ObjectNotFound):
            backend.local_file(key).__enter__()

    @pytest.mark.parametrize("content", [b"", b"0", b"0123456789"])
    def test_reads_a_range_and_less_at_the_end(self, backend: Backend, content: bytes) -> None:
        backend.create("a/b", content)
        for start, stop in [*combinations(range(12), 2), (0, 2**50), (9, 2**50), (2**50, 2**50 + 1)]:
            assert backend.read_range("a/b", start, stop) == content[start:stop], (start, stop)

    def test_moves_a_file_in(self, backend: Backend, tmp_path: Path) -> None:
        source = tmp_path / "source"
        source.write_bytes(b"content")
        backend.create_file("a/files/f", source)
        assert backend.read("a/files/f") == b"content"
        assert not source.exists()

    def test_a_failed_create_file_leaves_the_source(self, backend: Backend, tmp_path: Path) -> None:
        source = tmp_path / "source"
        source.write_bytes(b"two")
        backend.create("a/f", b"one")
        with pytest.raises(ObjectExists):
            backend.create_file("a/f", source)
        assert backend.read("a/f") == b"one"
        assert source.read_bytes() == b"two"

    def test_names_lists_direct_children_sorted(self, backend: Backend) -> None:
        for key in ("a/c/x", "a/b", "a/c/y/z", "ab/d"):
            backend.create(key, b"")
        assert backend.names("a") == ["b", "c"]
        assert backend.names("a/c") == ["x", "y"]
        assert backend.names("absent") == []
        assert backend.names("a/b") == []

    def test_delete_removes_a_key_and_its_children_only(self, backend: Backend) -> None:
        for key in ("a/b/c", "a/b/d/e", "a/bc", "a/f"):
            backend.create(key, b"x")
        backend.delete("a/b")
        backend.delete("a/f")
        backend.delete("a/b")
        backend.delete("absent")
        assert backend.names("a") == ["bc"]
        backend.create("a/b/c", b"again")
        assert backend.read("a/b/c") == b"again"

    def test_gives_a_local_file(self, backend: Backend) -> None:
        backend.create("a/b", b"content")
        for fresh in (False, True):
            with backend.local_file("a/b", fresh=fresh) as path:
                assert path.read_bytes() == b"content"

    def test_a_local_file_has_the_current_content(self, backend: Backend) -> None:
        for data in (b"first", b"second"):
            backend.replace("a/b", data)
            with backend.local_file("a/b") as path:
                assert path.read_bytes() == data
        backend.delete("a/b")
        with pytest.raises(ObjectNotFound):
            backend.local_file("a/b").__enter__()

    def test_threads_read_local_files_concurrently(self, backend: Backend) -> None:
        for number in range(4):
            backend.create(f"a/{number}", bytes([number]) * 1000)

        def reads(number: int) -> bool:
            with backend.local_file(f"a/{number % 4}") as path:
                return path.read_bytes() == bytes([number % 4]) * 1000

        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(reads, range(64)))

    def test_an_open_local_file_outlives_the_deletion_of_its_key(self, backend: Backend) -> None:
        backend.create("a/b", b"content")
        with backend.local_file("a/b") as path, path.open("rb") as file:
            backend.delete("a")
            assert file.read() == b"content"

    def test_clear_temporary_leaves_other_files(self, backend: Backend) -> None:
        backend.create("a/b", b"content")
        backend.clear_temporary(0)
        assert backend.read("a/b") == b"content"

    def test_parallel_publishers_get_all_numbers_once(self, backend: Backend, tmp_path: Path) -> None:
        store = Store(backend)

        def publish(number: int) -> int:
            weights = tmp_path / f"weights-{number}"
            weights.write_bytes(bytes([number]))
            return store.models.publish("line", {"by": number}, {"weights": weights}).number

        with ThreadPoolExecutor(PUBLISHERS) as threads:
            assert sorted(threads.map(publish, range(PUBLISHERS))) == [*range(1, PUBLISHERS + 1)]
        assert store.models.numbers("line") == [*range(1, PUBLISHERS + 1)]
        for number in range(1, PUBLISHERS + 1):
            version = store.models.get("line", number)
            with store.models.local_file(version, "weights") as path:
                assert path.read_bytes() == bytes([version.manifest["by"]])
