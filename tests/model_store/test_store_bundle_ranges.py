"""Parts of a bundle are the parts of what `write_bundle` writes."""

import io
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_store import Bundles, Collection, write_bundle
from model_store.backends.local import LocalBackend
from model_store.errors import Unavailable, VersionCorrupt
from tests.examples import examples
from tests.model_store.memory_backend import MemoryBackend
from tests.model_store.source_files import source_files


@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.dictionaries(st.sampled_from(["a", "b", "c/d", "e"]), st.binary(max_size=300), max_size=4),
    cuts=st.lists(st.integers(0, 3000), max_size=6),
)
def test_the_parts_together_are_the_bundle(tmp_path: Path, files: dict[str, bytes], cuts: list[int]) -> None:
    models = Collection(MemoryBackend(), "models")
    version = models.publish("line", {"a": 1}, source_files(tmp_path, files))
    whole = io.BytesIO()
    write_bundle(version, models, whole)
    bundles = Bundles(models)
    found = b""
    places = sorted({0, *(min(cut, len(whole.getvalue())) for cut in cuts), len(whole.getvalue())})
    for start, stop in pairwise(places):
        with bundles.open(version) as bundle:  # of a request of its own
            assert bundle.size == len(whole.getvalue())
            found += b"".join(bundle.chunks(start, stop))
    assert found == whole.getvalue()


def test_a_large_file_is_read_in_pieces(tmp_path: Path) -> None:
    content = bytes(range(256)) * 20_000
    models = Collection(LocalBackend(tmp_path / "store"), "models")
    version = models.publish("line", {}, source_files(tmp_path, {"weights": content}))
    with Bundles(models).open(version) as bundle:
        pieces = list(bundle.chunks(0, bundle.size))
    assert max(map(len, pieces)) <= 2**20 and content in b"".join(pieces)


def test_a_damaged_version_has_no_bundle(tmp_path: Path) -> None:
    models = Collection(LocalBackend(tmp_path / "store"), "models")
    version = models.publish("line", {}, source_files(tmp_path, {"a": b"aaaa"}))
    bundles = Bundles(models)
    with bundles.open(version) as bundle:
        assert bundle.sha256
    with models.local_file(version, "a") as path:
        path.write_bytes(b"aaab")
    with pytest.raises(VersionCorrupt), bundles.open(version):
        pass


def test_a_file_that_becomes_shorter_ends_the_response(tmp_path: Path) -> None:
    models = Collection(LocalBackend(tmp_path / "store"), "models")
    version = models.publish("line", {}, source_files(tmp_path, {"a": bytes(5000)}))
    with Bundles(models).open(version) as bundle:
        with models.local_file(version, "a") as path:
            path.write_bytes(b"")
        with pytest.raises(Unavailable):
            list(bundle.chunks(0, bundle.size))
