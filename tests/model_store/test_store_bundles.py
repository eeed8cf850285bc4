import io
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_store import Collection, Version, read_bundle, write_bundle
from model_store.backends.local import LocalBackend
from model_store.errors import VersionCorrupt
from tests.examples import examples
from tests.model_store.content import content
from tests.model_store.memory_backend import MemoryBackend
from tests.model_store.source_files import source_files

FILE_NAMES = st.from_regex(r"[A-Za-z0-9][a-z._-]{0,8}(/[0-9][A-Z._-]{0,8})?", fullmatch=True)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def bundle_of(models: Collection, version: Version) -> bytes:
    target = io.BytesIO()
    write_bundle(version, models, target)
    return target.getvalue()


@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    manifest=st.dictionaries(st.text(), JSON, max_size=4),
    files=st.dictionaries(FILE_NAMES, st.binary(max_size=3000), max_size=4),
)
def test_a_bundle_round_trip_keeps_the_digest(
    tmp_path: Path, manifest: dict[str, object], files: dict[str, bytes]
) -> None:
    folders = {name.split("/")[0].casefold() for name in files if "/" in name}
    files = {name.casefold(): content for name, content in files.items() if name.casefold() not in folders}
    models = Collection(MemoryBackend(), "models")
    first = models.publish("first", manifest, source_files(tmp_path, files))
    bundle = tmp_path / "bundle"
    bundle.write_bytes(bundle_of(models, first))
    draft = read_bundle(bundle, tmp_path, 1_000_000)
    second = models.publish("second", draft.manifest, draft.files)
    assert second.digest == first.digest
    assert {file: content(models, second, file) for file in files} == files
    assert bundle_of(models, second) == bundle.read_bytes()


def test_a_large_file_round_trip(tmp_path: Path) -> None:
    content = bytes(range(256)) * 20_000
    models = Collection(LocalBackend(tmp_path / "store"), "models")
    version = models.publish("line", {}, source_files(tmp_path, {"weights": content}))
    bundle, work_dir = tmp_path / "bundle", tmp_path / "work"
    work_dir.mkdir()
    with bundle.open("wb") as target:
        write_bundle(version, models, target)
    assert read_bundle(bundle, work_dir, 6_000_000).files["weights"].read_bytes() == content


def test_bundles_of_a_version_are_byte_identical(tmp_path: Path) -> None:
    models = Collection(MemoryBackend(), "models")
    version = models.publish("line", {"a": 1}, source_files(tmp_path, {"x": b"x", "a": b"a"}))
    with (tmp_path / "bundle").open("wb") as target:
        write_bundle(version, models, target)
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as source, os.fdopen(write_end, "wb") as pipe:
        write_bundle(version, models, pipe)
        pipe.close()
        assert (tmp_path / "bundle").read_bytes() == bundle_of(models, version) == source.read()


def test_a_damaged_version_is_not_bundled(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path / "store")
    models = Collection(backend, "models")
    version = models.publish("line", {}, source_files(tmp_path, {"a": b"a", "b": b"b"}))
    with models.local_file(version, "b") as path:
        path.write_bytes(b"c")
    target = io.BytesIO()
    with pytest.raises(VersionCorrupt):
        write_bundle(version, models, target)
    assert target.getvalue() == b""
