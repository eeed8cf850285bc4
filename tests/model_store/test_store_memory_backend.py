import gc
from pathlib import Path

import pytest

from model_store.backends.backend import Backend
from model_store.backends.memory import MemoryBackend
from tests.model_store.backend_contract import BackendContract


class TestMemoryBackend(BackendContract):
    @pytest.fixture
    def backend(self, tmp_path: Path) -> Backend:
        return MemoryBackend()


def test_local_files_go_with_the_backend() -> None:
    backend = MemoryBackend()
    backend.create("a", b"x")
    path = backend.local_path("a")
    del backend
    gc.collect()
    assert not path.parent.exists()
