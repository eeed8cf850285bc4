import gc
from pathlib import Path

import pytest

from model_store import Store
from model_store.backends.backend import Backend
from model_store.testing import BackendContract
from tests.model_store.content import content
from tests.model_store.memory_backend import MemoryBackend


class TestMemoryBackend(BackendContract):
    @pytest.fixture
    def backend(self, tmp_path: Path) -> Backend:
        return MemoryBackend()


def test_local_files_are_removed_with_the_backend() -> None:
    backend = MemoryBackend()
    backend.create("a", b"x")
    with backend.local_file("a") as path:
        folder = path.parent
    del backend
    gc.collect()
    assert not folder.exists()


def test_a_store_fetches_a_file_once_and_again_when_its_copy_is_damaged(tmp_path: Path) -> None:
    backend = MemoryBackend()
    models = Store(backend).models
    (tmp_path / "weights").write_bytes(b"weights")
    version = models.publish("line", {}, {"weights": tmp_path / "weights"})
    for _ in range(2):
        assert content(models, version, "weights") == b"weights"
    assert backend.fetched == 1
    with models.local_file(version, "weights") as path:
        path.chmod(0o600)
        path.write_bytes(b"wEights")
    assert content(models, version, "weights") == b"weights"
    assert backend.fetched == 2
