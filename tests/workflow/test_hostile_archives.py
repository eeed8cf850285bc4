"""Zip files from strangers: each break of a rule names the member and the rule, and nothing comes out of them."""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from service.workflow.data.archives import directory
from service.workflow.data.archives.directory import read_directory
from service.workflow.data.survey import survey
from service.workflow.errors import InvalidData
from tests.harness.pictures import picture, written, zip_of

MOST = 2**30
GOOD = {"a/1.png": picture(1), "b/2.png": picture(2)}


def _refusal(tmp_path: Path, content: bytes, most: int = MOST) -> str:
    with pytest.raises(InvalidData) as refused:
        read_directory(written(tmp_path, content), most)
    return str(refused.value)


def _entry(name: str, content: bytes = b"x", **about: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    for field, value in about.items():
        setattr(entry, field, value)
    return entry


def _with(*entries: zipfile.ZipInfo) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in GOOD.items():
            archive.writestr(name, content)
        for entry in entries:
            archive.writestr(entry, b"x")
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("../1.png", "empty, . or .."),
        ("a/../../1.png", "empty, . or .."),
        ("a//1.png", "empty, . or .."),
        ("./a/1.png", "empty, . or .."),
        ("/a/1.png", "absolute"),
        ("C:/1.png", "absolute"),
        ("a\\1.png", "backslash"),
        ("a/\x1b[2J.png", "control character"),
        ("a/1.png\x00.txt", "control character"),
        ("x" * 1025, "1024 characters"),
    ],
)
def test_names(tmp_path: Path, name: str, rule: str) -> None:
    entry = _entry("placeholder")
    entry.filename = name  # the constructor cuts names at NUL
    message = _refusal(tmp_path, _with(entry))
    assert rule in message and "\x1b" not in message


def test_names_that_are_told_apart_by_little(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = _with(_entry("a/1.png"))
    assert "'a/1.png': it is there twice" in _refusal(tmp_path, twice)
    assert "in case alone" in _refusal(tmp_path, _with(_entry("A/1.PNG")))
    assert "in case alone" in _refusal(tmp_path, _with(_entry("\u00e4.png"), _entry("a\u0308.png")))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices(tmp_path: Path, kind: int) -> None:
    entry = _entry("a/link.png", external_attr=(kind | 0o777) << 16, create_system=3)
    assert "'a/link.png': it is a link or a device" in _refusal(tmp_path, _with(entry))


def _patched(content: bytes, at_local: int, at_central: int, value: bytes) -> bytes:
    """The same bytes in a field of the last entry's two headers."""
    data = bytearray(content)
    local, central = content.rindex(b"PK\3\4"), content.rindex(b"PK\1\2")
    for start in (local + at_local, central + at_central):
        data[start : start + len(value)] = value
    return bytes(data)


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        (lambda content: _patched(content, 6, 8, b"\x01\x00"), "'b/2.png': it is encrypted"),
        (lambda content: _patched(content, 8, 10, b"\x0c\x00"), "'b/2.png': it is packed in a way"),
        (lambda content: _patched(content, 22, 24, b"\x07\x00\x00\x00"), "'b/2.png': it is stored, and its two sizes"),
        (lambda content: content[: content.rindex(b"PK\3\4")] + b"XX" + content[content.rindex(b"PK\3\4") + 2 :],
         "'b/2.png': it has no header of its own"),
        (lambda content: content.replace(b"b/2.png", b"c/2.png", 1), "'b/2.png': its header and the directory differ"),
        (lambda content: content[:-30], "end is missing"),
        (lambda content: content[:20], "end is missing"),
        (lambda content: b"x" * 100 + content, None),  # such as a program that unpacks itself
    ],
)  # fmt: skip
def test_headers(tmp_path: Path, broken: Callable[[bytes], bytes], rule: str | None) -> None:
    content = broken(zip_of(GOOD))
    if rule is None:
        files = read_directory(written(tmp_path, content), MOST).files
        assert [files.read(row) for row in range(2)] == [*GOOD.values()]
    else:
        assert rule in _refusal(tmp_path, content)


def test_entries_that_share_bytes(tmp_path: Path) -> None:
    """As in the bombs of David Fifield (2019), whose members are one block of data."""
    content = bytearray(zip_of({"a/1.png": b"0" * 100, "a/2.png": b"0" * 100}))
    second = content.rindex(b"PK\1\2")
    content[second + 42 : second + 46] = struct.pack("<L", 0)
    content[second + 46 : second + 53] = b"a/3.png"
    assert "overlaps another entry" in _refusal(tmp_path, bytes(content))


def test_bombs(tmp_path: Path) -> None:
    nothing = zip_of({"a/1.png": bytes(100 * 2**20)}, zipfile.ZIP_DEFLATED)
    assert "104857600 bytes come out" in _refusal(tmp_path, nothing)
    assert "'b/2.png'" in _refusal(tmp_path, zip_of({"a/1.png": bytes(10), "b/2.png": bytes(20)}), most=29)
    # More comes out than both headers say.
    content = zip_of({"a/1.png": bytes(2**20)}, zipfile.ZIP_DEFLATED)
    lying = _patched(content, 22, 24, struct.pack("<L", 100))
    files = read_directory(written(tmp_path, lying), MOST).files
    with pytest.raises(zlib.error, match=r"a/1\.png"):
        files.read(0)


def test_more_entries_than_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "MOST_MEMBERS", 1)
    assert "2 entries" in _refusal(tmp_path, zip_of(GOOD))
    lying = zip_of(GOOD)  # of how many there are
    assert "2 entries" in _refusal(tmp_path, lying[:-14] + b"\1\0\1\0" + lying[-10:])
    monkeypatch.setattr(directory, "MOST_DIRECTORY_BYTES", 10)
    assert "entries" in _refusal(tmp_path, lying[:-14] + b"\1\0\1\0" + lying[-10:])


def test_large_offsets_are_read(tmp_path: Path) -> None:
    """Archives of more than 4 GB, or written to a pipe, have their sizes in zip64 fields and after the data."""

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.content = b""

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]
            self.content += bytes(data)
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in GOOD.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(content)
    files = read_directory(written(tmp_path, pipe.content), MOST).files
    assert [files.read(row) for row in range(2)] == [*GOOD.values()]


def test_a_file_that_is_no_picture(tmp_path: Path) -> None:
    """A page, a program, and an archive behind the suffix of a picture."""
    other: dict[str, bytes | str] = {"a/1.png": "<html><script>", "a/2.jpg": b"MZ\x90\0", "b/4.svg": "<svg/>"}
    other["b/3.gif"] = zip_of(GOOD)
    with pytest.raises(InvalidData) as refused:
        survey(written(tmp_path, zip_of(other)), "")
    for name in other:
        assert repr(name) in str(refused.value)
    assert str(tmp_path) not in str(refused.value)


def test_a_checksum(tmp_path: Path) -> None:
    content = zip_of(GOOD)
    at = content.rindex(b"PK\1\2") + 16
    changed = content[:at] + bytes(4) + content[at + 4 :]
    with pytest.raises(InvalidData, match=r"'b/2\.png': its checksum is wrong"):
        survey(written(tmp_path, changed), "")
