"""The backend contract on servers of S3's and Azure's protocol."""

from pathlib import Path

import pytest

from model_store.backends.backend import Backend
from model_store.backends.schemes import open_backend
from model_store.file_cache import FileCache
from model_store.testing import BackendContract
from tests.harness.object_servers import Azurite, MiniStack


class TestS3(BackendContract):
    @pytest.fixture
    def backend(self, tmp_path: Path, ministack: MiniStack, monkeypatch: pytest.MonkeyPatch) -> Backend:
        for name, value in ministack.variables().items():
            monkeypatch.setenv(name, value)
        return open_backend(f"s3://{ministack.bucket()}/some/prefix", FileCache(tmp_path / "cache", 2**20))


class TestAzure(BackendContract):
    @pytest.fixture
    def backend(self, tmp_path: Path, azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> Backend:
        for name, value in azurite.variables().items():
            monkeypatch.setenv(name, value)
        return open_backend(f"az://{azurite.bucket()}", FileCache(tmp_path / "cache", 2**20))
