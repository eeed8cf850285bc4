import hashlib
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_store import Collection, Version, member_digests, read_bundle, write_bundle
from model_store.backends.local import LocalBackend
from model_store.bundle import MAX_SIGNATURE_BYTES
from model_store.errors import InvalidBundle, VersionCorrupt
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


@settings(max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(signature=st.binary(max_size=300))
def test_a_signature_is_kept_beside_the_version(tmp_path: Path, signature: bytes) -> None:
    models = Collection(MemoryBackend(), "models")
    unsigned = models.publish("unsigned", {}, source_files(tmp_path, {"a": b"1"}))
    signed = models.publish("signed", {}, source_files(tmp_path, {"a": b"1"}), sign=lambda *_: signature)
    assert (models.signature(unsigned), models.signature(signed), unsigned.digest) == (None, signature, signed.digest)
    (tmp_path / "bundle").write_bytes(bundle_of(models, signed))
    draft = read_bundle(tmp_path / "bundle", tmp_path, 1_000_000)
    assert draft.signature == signature
    for name, number, new in (("taken", 1, True), ("unsigned", 1, False)):  # one that was there gets it, too
        taken = models.take(name, draft.manifest, dict(draft.files), signature=draft.signature)
        assert (taken[0].number, taken[1], models.signature(taken[0])) == (number, new, signature)
        assert bundle_of(models, taken[0]) == (tmp_path / "bundle").read_bytes()


def test_what_is_signed_are_the_digest_and_the_files(tmp_path: Path) -> None:
    models, asked = Collection(MemoryBackend(), "models"), list[tuple[str, dict[str, str]]]()

    def sign(digest: str, manifest: Mapping[str, Any]) -> bytes:
        asked.append((digest, member_digests(digest, manifest)))
        assert models.names() == []  # the version does not exist before it is signed
        return b"signed"

    version = models.publish("a", {"x": 1}, source_files(tmp_path, {"y/z": b"1"}), key="once", sign=sign)
    digests = {"manifest.json": version.digest, "files/y/z": hashlib.sha256(b"1").hexdigest()}
    assert asked == [(version.digest, digests)]
    again = models.publish("a", {"x": 2}, source_files(tmp_path, {"y/z": b"2"}), key="once", sign=sign)
    assert again == version and len(asked) == 1


def test_a_version_that_cannot_be_signed_is_not_published(tmp_path: Path) -> None:
    models, files = Collection(MemoryBackend(), "models"), source_files(tmp_path, {"a": b"1"})

    def sign(*_: object) -> bytes:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        models.publish("a", {}, files, sign=sign)
    assert models.names() == [] and models.contents("a").ids() == []
    assert files["a"].read_bytes() == b"1"


def test_a_signature_is_bounded(tmp_path: Path) -> None:
    models = Collection(MemoryBackend(), "models")
    for name, size in (("fits", MAX_SIGNATURE_BYTES), ("large", MAX_SIGNATURE_BYTES + 1)):
        version = models.publish(name, {}, {}, sign=lambda *_, size=size: bytes(size))
        (tmp_path / "bundle").write_bytes(bundle_of(models, version))
        if name == "fits":
            assert read_bundle(tmp_path / "bundle", tmp_path, 10**6).signature == bytes(size)
        else:
            with pytest.raises(InvalidBundle, match=r"'signature.json': it may have at most"):
                read_bundle(tmp_path / "bundle", tmp_path, 10**6)


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
