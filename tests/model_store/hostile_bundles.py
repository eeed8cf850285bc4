"""Bundles that must be refused: each is a function from a folder's path to bytes, with the rule that it breaks."""

import hashlib
import json
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable
from io import BytesIO
from typing import Any

Members = list[tuple[zipfile.ZipInfo | str, bytes]]
WEIGHTS = b"weights " * 100


def described(files: dict[str, bytes]) -> dict[str, Any]:
    return {name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in files.items()}


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


GOOD_MANIFEST = canonical({"files": described({"weights": WEIGHTS})})


def zipped(members: Members, method: int = zipfile.ZIP_STORED) -> bytes:
    target = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about duplicate names
        with zipfile.ZipFile(target, "w", method) as archive:
            for member, data in members:
                archive.writestr(member, data)
    return target.getvalue()


def good(method: int = zipfile.ZIP_STORED) -> bytes:
    return zipped([("manifest.json", GOOD_MANIFEST), ("files/weights", WEIGHTS)], method)


def with_member(name: str, data: bytes = b"x") -> bytes:
    return zipped([("manifest.json", GOOD_MANIFEST), ("files/weights", WEIGHTS), (name, data)])


def with_manifest(manifest: bytes) -> bytes:
    return zipped([("manifest.json", manifest), ("files/weights", WEIGHTS)])


def with_kind(kind: int) -> bytes:
    member = zipfile.ZipInfo("files/weights")
    member.create_system = 3
    member.external_attr = (kind | 0o777) << 16
    return zipped([("manifest.json", GOOD_MANIFEST), (member, WEIGHTS)])


def patched(data: bytes, marker: bytes, offset: int, field: bytes, index: int = -1) -> bytes:
    """Write `field` at `offset` behind the marker: its last occurrence, or the one at `index`."""
    places = [place for place in range(len(data)) if data.startswith(marker, place)]
    place = places[index] + offset
    return data[:place] + field + data[place + len(field) :]


def with_flags(flags: int) -> bytes:
    field = struct.pack("<H", flags)
    return patched(patched(good(), b"PK\1\2", 8, field), b"PK\3\4", 6, field)


def with_sizes(size: int, where: tuple[bytes, int]) -> bytes:
    marker, offset = where
    return patched(good(), marker, offset, struct.pack("<L", size))


def overlapping() -> bytes:
    """The entry of the second member points at the data of the first, as in an overlap bomb."""
    data = zipped([("manifest.json", GOOD_MANIFEST), ("files/weights", WEIGHTS), ("files/other0", WEIGHTS)])
    first = data.index(b"PK\3\4", 4)
    return patched(data, b"PK\1\2", 42, struct.pack("<L", first))


def bomb() -> bytes:
    zeros = b"\0" * 20_000_000
    manifest = canonical({"files": described({"weights": zeros})})
    return zipped([("manifest.json", manifest), ("files/weights", zeros)], zipfile.ZIP_DEFLATED)


def disguised_bomb() -> bytes:
    """20 MB, deflated, with headers that claim it is stored."""
    zeros, stored = b"\0" * 20_000_000, struct.pack("<H", zipfile.ZIP_STORED)
    weights = zipfile.ZipInfo("files/weights")
    weights.compress_type = zipfile.ZIP_DEFLATED
    data = zipped([("manifest.json", canonical({"files": described({"weights": zeros})})), (weights, zeros)])
    return patched(patched(data, b"PK\1\2", 10, stored), b"PK\3\4", 8, stored)


def large() -> bytes:
    manifest = canonical({"files": described({"weights": bytes(2_000_000)})})
    return zipped([("manifest.json", manifest), ("files/weights", bytes(2_000_000))])


def of_one_size(size: int) -> bytes:
    """The directory claims this size, compressed and uncompressed, for a member of 800 bytes."""
    field = struct.pack("<L", size)
    return patched(patched(good(), b"PK\1\2", 20, field), b"PK\1\2", 24, field)


def many_members(count: int) -> bytes:
    return zipped([("manifest.json", GOOD_MANIFEST), *((f"files/{number}", b"") for number in range(count))])


def huge_directory() -> bytes:
    """An end record that claims a directory of 500 MB; zipfile would try to read it."""
    return patched(good(), b"PK\5\6", 12, struct.pack("<L", 500_000_000))


def deep_manifest() -> bytes:
    return b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


def flipped_everywhere() -> list[bytes]:
    data = good()
    start = data.index(WEIGHTS)
    return [data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :] for place in range(start, start + len(WEIGHTS))]


FILES = described({"weights": WEIGHTS})
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "not a zip"),
    "text": (lambda: b"not a zip file " * 100, "not a zip"),
    "pickle": (lambda: b"\x80\x04\x95" + b"cos\nsystem\n" * 20, "not a zip"),
    "cut short": (lambda: good()[:-1], "not a zip"),
    "something behind": (lambda: good() + b"x", "after its end"),
    "something before": (lambda: b"#!/bin/sh" + good(), "before its first"),
    "huge directory": (huge_directory, "10000 members"),
    "10,001 members": (lambda: many_members(10_001), "10000 members"),
    "parent folder": (lambda: with_member("../x"), "not legal"),
    "parent folder inside": (lambda: with_member("files/../x"), "not legal"),
    "absolute": (lambda: with_member("/etc/passwd"), "not legal"),
    "drive": (lambda: with_member("C:\\x"), "not legal"),
    "backslashes": (lambda: with_member("files\\..\\x"), "not legal"),
    "NUL": (lambda: with_member("files/weights?", b"").replace(b"files/weights?", b"files/weights\0"), "not legal"),
    "not ASCII": (lambda: with_member("files/é"), "not legal"),
    "long name": (lambda: with_member("files/" + "x" * 60_000), "not legal"),
    "deep name": (lambda: with_member("files/a/b/c"), "not legal"),
    "folder": (lambda: with_member("files/folder/", b""), "regular file"),
    "outside files": (lambda: with_member("other"), "belong"),
    "not in the manifest": (lambda: with_member("files/extra"), "does not name it"),
    "twice": (lambda: with_member("files/weights", WEIGHTS), "twice"),
    "manifest twice": (lambda: with_member("manifest.json", GOOD_MANIFEST), "twice"),
    "case-fold twins": (lambda: with_member("files/Weights", WEIGHTS), "case alone"),
    "manifest twin": (lambda: with_member("Manifest.json", GOOD_MANIFEST), "case alone"),
    "symlink": (lambda: with_kind(stat.S_IFLNK), "regular file"),
    "device": (lambda: with_kind(stat.S_IFCHR), "regular file"),
    "block device": (lambda: with_kind(stat.S_IFBLK), "regular file"),
    "fifo": (lambda: with_kind(stat.S_IFIFO), "regular file"),
    "socket": (lambda: with_kind(stat.S_IFSOCK), "regular file"),
    "folder by mode": (lambda: with_kind(stat.S_IFDIR), "regular file"),
    "encrypted": (lambda: with_flags(0x1), "encrypted"),
    "strongly encrypted": (lambda: with_flags(0x41), "encrypted"),
    "patch data": (lambda: with_flags(0x20), "feature|not a zip"),
    "deflated": (lambda: good(zipfile.ZIP_DEFLATED), "without compression"),
    "bzip2": (lambda: good(zipfile.ZIP_BZIP2), "without compression"),
    "lzma": (lambda: good(zipfile.ZIP_LZMA), "without compression"),
    "overlap": (overlapping, "overlaps|differ"),
    "bomb": (bomb, "without compression"),
    "disguised bomb": (disguised_bomb, "size"),
    "large": (large, "at most"),
    "too large by the directory": (lambda: of_one_size(2_000_000), "at most"),
    "two sizes in the directory": (lambda: with_sizes(801, (b"PK\1\2", 24)), "not the one declared"),
    "other size in the directory": (lambda: of_one_size(799), "another size"),
    "other size in the header": (lambda: with_sizes(801, (b"PK\3\4", 22)), "another size"),
    "other packed size": (lambda: with_sizes(1, (b"PK\3\4", 18)), "another size"),
    "other name in the header": (lambda: patched(good(), b"PK\3\4", 30, b"files/weighty"), "differ"),
    "reaches into the directory": (
        lambda: of_one_size(9999),
        "past the end|another size",
    ),
    "no header": (lambda: patched(good(), b"PK\3\4", 0, b"XXXX"), "no header"),
    "wrong checksum": (lambda: patched(good(), b"PK\1\2", 16, b"\0\0\0\0"), "checksum"),
    "one byte changed": (lambda: good().replace(b"weights w", b"weights v", 1), "checksum"),
    "no manifest": (lambda: zipped([("files/weights", WEIGHTS)]), "missing"),
    "missing file": (lambda: zipped([("manifest.json", GOOD_MANIFEST)]), "missing"),
    "other content": (
        lambda: zipped([("manifest.json", GOOD_MANIFEST), ("files/weights", WEIGHTS[::-1])]),
        "SHA-256",
    ),
    "other size": (lambda: zipped([("manifest.json", GOOD_MANIFEST), ("files/weights", WEIGHTS[1:])]), "size"),
    "manifest empty": (lambda: with_manifest(b""), "JSON"),
    "manifest a list": (lambda: with_manifest(b"[]"), "JSON object"),
    "manifest not UTF-8": (lambda: with_manifest(b'{"a":"\xff"}'), "UTF-8"),
    "manifest with BOM": (lambda: with_manifest(b"\xef\xbb\xbf" + GOOD_MANIFEST), "JSON"),
    "manifest with spaces": (lambda: with_manifest(json.dumps({"files": FILES}).encode()), "canonical"),
    "manifest with NaN": (lambda: with_manifest(GOOD_MANIFEST[:-1] + b',"x":NaN}'), "NaN"),
    "manifest with 1e400": (lambda: with_manifest(GOOD_MANIFEST[:-1] + b',"x":1e400}'), "NaN"),
    "manifest with a surrogate": (lambda: with_manifest(GOOD_MANIFEST[:-1] + b',"x":"\\ud800"}'), "surrogate"),
    "manifest with a key twice": (lambda: with_manifest(GOOD_MANIFEST[:-1] + b',"x":1,"x":1}'), "duplicate"),
    "manifest with a long number": (lambda: with_manifest(b'{"a":' + b"9" * 5000 + b"}"), "JSON"),
    "manifest too deep": (lambda: with_manifest(deep_manifest()), "JSON"),
    "manifest without files": (lambda: with_manifest(b"{}"), "files"),
    "files a list": (lambda: with_manifest(b'{"files":[]}'), "files"),
    "file described by more": (
        lambda: with_manifest(canonical({"files": {"weights": {**FILES["weights"], "mode": 1}}})),
        "no more",
    ),
    "file described by less": (lambda: with_manifest(canonical({"files": {"weights": {"bytes": 800}}})), "no more"),
    "size not an integer": (
        lambda: with_manifest(canonical({"files": {"weights": {**FILES["weights"], "bytes": 800.0}}})),
        "no more",
    ),
}
