"""A bundle: one version as one zip file, `manifest.json`, `signature.json` if it is signed, and `files/<name>`: the same bytes
for the same version and signature."""

import hashlib
import zipfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Protocol, TypeGuard

from model_store.collection import Collection
from model_store.contents import MANIFEST, SIGNATURE
from model_store.errors import InvalidBundle, InvalidManifest, InvalidName
from model_store.manifest import decode_manifest, encode_manifest, manifest_digest
from model_store.names import check_file_names
from model_store.os_errors import storage_errors
from model_store.version import Version
from model_store.zip_archive import ZipArchive

MAX_MANIFEST_BYTES = 8 * 1024 * 1024  # in a bundle: read in half a second, with ten times that memory
MAX_SIGNATURE_BYTES = 256 * 1024

_FILES = "files/"
_CHUNK = 1024 * 1024
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX, _READABLE_FILE = 3, 0o100644 << 16
NO_MEMBERS: Mapping[str, bytes] = MappingProxyType({})
NO_SIZES: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True)
class Draft:
    """The content of a bundle, for `Collection.take`, by which it keeps its digest. The signature is not verified."""

    manifest: dict[str, Any]
    files: dict[str, Path]
    signature: bytes | None = None
    # Further members by name, which are no part of the version.
    extra: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """That of the version (SHA-256, hex)."""
        return manifest_digest(encode_manifest(self.manifest))


class Target(Protocol):
    """What a bundle is written to."""

    def write(self, data: bytes, /) -> int:
        """Take the next bytes, all of them; how many."""

    def flush(self) -> object:
        """Called at the end."""


class _Stream:
    """A target that zipfile cannot seek in: the bundle has the same bytes for a file and for a socket."""

    def __init__(self, target: Target) -> None:
        self.write = target.write
        self.flush = target.flush


def member_digests(digest: str, manifest: Mapping[str, Any]) -> dict[str, str]:
    """The SHA-256 (hex) of each member of a version's bundle but the signature, by the member's name: what a signature signs.

    Args:
        digest: of the version, which is that of `manifest.json`.
        manifest: of the version.
    """
    return {MANIFEST: digest} | {_FILES + file: about["sha256"] for file, about in manifest["files"].items()}


def write_bundle(
    version: Version, collection: Collection, target: BinaryIO, extra: Mapping[str, bytes] = NO_MEMBERS
) -> None:
    """Write `version` to `target`, which need not be seekable. Raises VersionCorrupt and VersionNotFound.

    Every file is checked before the first byte is written. `extra` are further members by name, for readers of the bundle: they
    are no part of the version, and readers must be told to allow them.
    """
    with ExitStack() as stack:
        files = sorted(version.manifest["files"])
        paths = {file: stack.enter_context(collection.local_file(version, file)) for file in files}
        write_draft(Draft(dict(version.manifest), paths, collection.signature(version), extra), target)


def write_draft(draft: Draft, target: Target, content_of: Callable[[str | None], None] = lambda _: None) -> None:
    """Write what `read_bundle` has read to `target`, which need not be seekable. `content_of` is called with a file's name before
    its content is written, and with None after it."""
    with zipfile.ZipFile(_Stream(target), "w") as archive:  # type: ignore[call-overload]  # needs no more
        archive.writestr(_member(MANIFEST), encode_manifest(draft.manifest))
        if draft.signature is not None:
            archive.writestr(_member(SIGNATURE), draft.signature)
        for name, data in draft.extra.items():
            archive.writestr(_member(name), data)
        for file, path in sorted(draft.files.items()):
            member = _member(_FILES + file)
            member.file_size = draft.manifest["files"][file]["bytes"]  # determines whether zip64 is used
            with path.open("rb") as source, archive.open(member, "w") as sink:
                content_of(file)
                while chunk := source.read(_CHUNK):
                    sink.write(chunk)
                content_of(None)


@storage_errors()
def read_bundle(path: Path, work_dir: Path, max_bytes: int, extra: Mapping[str, int] = NO_SIZES) -> Draft:
    """Extract the bundle at `path` into the folder `work_dir`, which must be there; it is left as it was on any error.

    `max_bytes` bounds all members together, uncompressed. Raises InvalidBundle naming member and rule: anything but
    the manifest, a signature, and exactly the files that the manifest names, each with the size and SHA-256 it states, is
    refused. `extra` are the names of further members that may be there, with the most bytes of each.
    Raises NoSpace when `work_dir` is full, Unavailable when one of the two cannot be used otherwise.
    """
    files: dict[str, Path] = {}
    try:
        with path.open("rb") as source:
            archive = ZipArchive(source, max_bytes)
            manifest = _manifest(archive)
            described = _described_files(manifest)
            _check_names(archive, described, extra)
            signature, extras = _signature(archive), _extra(archive, extra)
            for number, file in enumerate(sorted(described)):
                files[file] = work_dir / str(number)  # never a path that the bundle chose
                _extract(archive, file, described[file], files[file])
    except BaseException:
        for extracted in files.values():
            extracted.unlink(missing_ok=True)
        raise
    return Draft(manifest, files, signature, extras)


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _ZIP_EPOCH)
    member.create_system = _UNIX
    member.external_attr = _READABLE_FILE
    return member


def _manifest(archive: ZipArchive) -> dict[str, Any]:
    size = archive.sizes.get(MANIFEST)
    if size is None:
        raise InvalidBundle(MANIFEST, "it is missing")
    if size > MAX_MANIFEST_BYTES:
        raise InvalidBundle(MANIFEST, f"it may have at most {MAX_MANIFEST_BYTES} bytes")
    try:
        return decode_manifest(archive.read(MANIFEST))
    except InvalidManifest as error:
        raise InvalidBundle(MANIFEST, error.rule) from error


def _signature(archive: ZipArchive) -> bytes | None:
    size = archive.sizes.get(SIGNATURE)
    if size is None:
        return None
    if size > MAX_SIGNATURE_BYTES:
        raise InvalidBundle(SIGNATURE, f"it may have at most {MAX_SIGNATURE_BYTES} bytes")
    return archive.read(SIGNATURE)


def _extra(archive: ZipArchive, extra: Mapping[str, int]) -> dict[str, bytes]:
    found = {}
    for name in sorted(archive.sizes.keys() & extra.keys()):
        if archive.sizes[name] > extra[name]:
            raise InvalidBundle(name, f"it may have at most {extra[name]} bytes")
        found[name] = archive.read(name)
    return found


def _described_files(manifest: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    described = manifest.get("files")
    if not isinstance(described, dict) or not all(map(_is_description, described.values())):
        raise InvalidBundle(MANIFEST, "its `files` must give `sha256` and `bytes`, and no more, for each file")
    return described


def _is_description(value: object) -> TypeGuard[dict[str, Any]]:
    return (
        isinstance(value, dict)
        and value.keys() == {"sha256", "bytes"}
        and isinstance(value["sha256"], str)
        and type(value["bytes"]) is int
    )


def _check_names(archive: ZipArchive, described: Mapping[str, Any], extra: Mapping[str, int]) -> None:
    members = archive.sizes.keys() - {MANIFEST, SIGNATURE, *extra}
    for member in sorted(members):
        file = member.removeprefix(_FILES)
        try:
            check_file_names([file])
        except InvalidName as error:
            raise InvalidBundle(member, f"its name is not legal: {error.rule}") from error
        if file == member:
            names = ", ".join([MANIFEST, SIGNATURE, *extra])
            raise InvalidBundle(member, f"only {names} and {_FILES} belong into a bundle")
        if file not in described:
            raise InvalidBundle(member, "the manifest does not name it")
    for file in sorted(described):
        if _FILES + file not in members:
            raise InvalidBundle(_FILES + file, "it is missing, though the manifest names it")
    try:
        check_file_names(sorted(described))
    except InvalidName as error:
        raise InvalidBundle(MANIFEST, error.rule) from error


def _extract(archive: ZipArchive, file: str, expected: Mapping[str, Any], target: Path) -> None:
    member = _FILES + file
    if archive.sizes[member] != expected["bytes"]:
        raise InvalidBundle(member, "its size is not the one in the manifest")
    sha256 = hashlib.sha256()
    with storage_errors(), target.open("xb") as sink:
        for chunk in archive.chunks(member):
            sha256.update(chunk)
            sink.write(chunk)
    if sha256.hexdigest() != expected["sha256"]:
        raise InvalidBundle(member, "its SHA-256 is not the one in the manifest")
