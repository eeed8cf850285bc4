"""Resumable uploads on the disk: limits, expiry, several writers, and processes that die in the middle of a piece."""

import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, rule

from model_store.errors import NoSpace, StoreError
from service.use_cases import uploads
from service.use_cases.uploads import (
    KEPT_FOR,
    MOST_TOGETHER,
    MOST_UPLOADS,
    TooManyUploads,
    UploadConflict,
    UploadNotFound,
    Uploads,
    UploadTooLarge,
)
from tests.examples import examples
from tests.harness.server import ROOT
from tests.harness.until import until

APPEND_FOREVER = """
import sys
from pathlib import Path
from service.use_cases.uploads import Uploads
kept = Uploads(Path(sys.argv[1]), 2**30)
writer = kept.writer(None, sys.argv[2], 0)
print("ready", flush=True)
while writer.room:
    piece = bytes((writer.offset + place) % 251 for place in range(min(5000, writer.room)))
    writer.write(piece)
"""


class Clock:
    """A clock that a test sets, from the present on."""

    def __init__(self, of: Path) -> None:
        of.touch()
        self.now = of.stat().st_mtime

    def __call__(self) -> float:
        return self.now


def append(kept: Uploads, upload: str, offset: int, piece: bytes, owner: str | None = None) -> None:
    with closing(kept.writer(owner, upload, offset)) as writer:
        writer.write(piece)
        writer.flush()


def content(kept: Uploads, upload: str, target: Path) -> bytes:
    target.unlink(missing_ok=True)
    kept.link(None, upload, target)
    return target.read_bytes()


def test_an_upload_survives_its_process(tmp_path: Path) -> None:
    made = Uploads(tmp_path / "uploads", 100).create("ann", 6)
    append(Uploads(tmp_path / "uploads", 100), made.id, 0, b"abc", "ann")
    later = Uploads(tmp_path / "uploads", 100)
    found = later.get("ann", made.id)
    assert (found.length, found.offset, found.expires >= made.expires) == (6, 3, True)
    for stranger in ("bob", None):
        with pytest.raises(UploadNotFound):
            later.get(stranger, made.id)
    append(later, made.id, 3, b"def", "ann")
    later.link("ann", made.id, tmp_path / "whole")
    later.discard(made.id)
    assert (tmp_path / "whole").read_bytes() == b"abcdef"
    with pytest.raises(UploadNotFound):
        later.get("ann", made.id)


def test_limits(tmp_path: Path) -> None:
    kept = Uploads(tmp_path, 100)
    with pytest.raises(UploadTooLarge):
        kept.create(None, 101)
    for _ in range(MOST_TOGETHER):
        kept.create(None, 100)
    with pytest.raises(TooManyUploads, match="400 bytes together"):
        kept.create(None, 1)
    for _ in range(MOST_UPLOADS - MOST_TOGETHER):
        kept.create(None, 0)
    with pytest.raises(TooManyUploads, match="64 unfinished"):
        kept.create(None, 0)
    with pytest.raises(NoSpace):
        Uploads(tmp_path / "vast", 10**18).create(None, 10**18)


def test_an_upload_expires_a_day_after_its_last_piece(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock")
    kept = Uploads(tmp_path / "uploads", 100, clock)
    idle, used = kept.create(None, 100).id, kept.create(None, 100).id
    (tmp_path / "uploads" / ("0" * 32)).mkdir()  # as a killed process leaves one
    clock.now += KEPT_FOR - 60
    kept.sweep()
    assert kept.get(None, idle)
    clock.now = kept.get(None, used).expires + 1
    for upload in (idle, used):
        with pytest.raises(UploadNotFound):
            kept.get(None, upload)
    kept.create(None, 100)  # expired ones do not count
    kept.sweep()
    left = {path.name for path in (tmp_path / "uploads").iterdir()}
    assert not left & {idle, used, "0" * 32}


def test_of_two_writers_one_wins_each_piece(tmp_path: Path) -> None:
    kept, size = Uploads(tmp_path, 10**6), 40_000
    upload, start = kept.create(None, size).id, threading.Barrier(2)

    def send(letter: bytes) -> int:
        with closing(kept.writer(None, upload, 0)) as writer:
            start.wait()
            with suppress(UploadConflict, UploadTooLarge):
                while writer.room:
                    writer.write(letter * min(writer.room, 1000))
            return writer.offset

    with ThreadPoolExecutor(2) as threads:
        ends = list(threads.map(send, [b"a", b"b"]))
    assert max(ends) == size == kept.get(None, upload).offset
    found = content(kept, upload, tmp_path / "whole")
    assert all(found[place : place + 1000] in (b"a" * 1000, b"b" * 1000) for place in range(0, size, 1000))
    assert len(set(found)) == 1 or min(ends) < size


def test_a_process_that_is_killed_leaves_a_prefix(tmp_path: Path) -> None:
    kept, size = Uploads(tmp_path / "uploads", 2**30), 2**27
    upload = kept.create(None, size).id
    command = [sys.executable, "-c", APPEND_FOREVER, str(tmp_path / "uploads"), upload]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own
        assert process.stdout is not None and process.stdout.readline()
        until(lambda: kept.get(None, upload).offset)
        process.send_signal(signal.SIGKILL)
    offset = kept.get(None, upload).offset
    data = (tmp_path / "uploads" / upload / "data").read_bytes()
    assert 0 < offset == len(data) < size
    assert all(data[place] == place % 251 for place in range(0, len(data), 97))
    with closing(kept.writer(None, upload, offset)) as writer:  # no lock is left
        writer.write(b"x")


def test_a_deleted_upload_takes_no_more(tmp_path: Path) -> None:
    kept = Uploads(tmp_path, 100)
    upload = kept.create(None, 10).id
    with closing(kept.writer(None, upload, 0)) as writer:
        writer.write(b"a")
        kept.remove(None, upload)
        with pytest.raises(UploadNotFound):
            writer.write(b"b")


def test_a_full_disk_keeps_what_was_written(tmp_path: Path) -> None:
    """With a limit on the size of files, which is reported as a full disk is."""
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from service.use_cases.uploads import Uploads; from model_store.errors import NoSpace\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))\n"
        "kept = Uploads(Path(sys.argv[1]), 10000); upload = kept.create(None, 5000).id; writer = kept.writer(None, upload, 0)\n"
        "try: writer.write(b'a' * 1000); writer.write(b'b' * 1000)\n"
        "except NoSpace: print(upload, kept.get(None, upload).offset)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - our own
    upload, offset = done.stdout.split()
    kept = Uploads(tmp_path, 10000)
    assert int(offset) == 1500
    append(kept, upload, 1500, b"c" * 3500)
    assert content(kept, upload, tmp_path / "whole") == b"a" * 1000 + b"b" * 500 + b"c" * 3500


def test_what_is_damaged_is_not_there(tmp_path: Path) -> None:
    kept = Uploads(tmp_path, 100)
    upload = kept.create(None, 10).id
    (tmp_path / upload / uploads._ABOUT).write_text('{"length": 1000000}')
    with pytest.raises(UploadNotFound):
        kept.get(None, upload)
    with pytest.raises(StoreError):
        Uploads(tmp_path / upload / "data", 100).create(None, 10)  # a file where a folder belongs


class Pieces(RuleBasedStateMachine):
    """Whatever is appended, by whom and where: the content is what was accepted, in this order."""

    made = Bundle("made")

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.kept = Uploads(Path(self.folder.name) / "uploads", 50)
        self.model: dict[str, tuple[int, bytes]] = {}

    @rule(target=made, length=st.integers(0, 12))
    def create(self, length: int) -> str:
        upload = self.kept.create(None, length).id
        self.model[upload] = (length, b"")
        return upload

    @rule(upload=made, offset=st.integers(0, 13), piece=st.binary(max_size=8), exact=st.booleans())
    def append(self, upload: str, offset: int, piece: bytes, exact: bool) -> None:
        length, before = self.model.get(upload, (0, None))
        if exact and before is not None:
            offset = len(before)
        try:
            append(Uploads(Path(self.folder.name) / "uploads", 50), upload, offset, piece)
        except UploadNotFound:
            assert before is None
        except UploadConflict:
            assert before is not None and offset != len(before)
        except UploadTooLarge:
            assert before is not None and offset + len(piece) > length
        else:
            assert before is not None and offset == len(before) <= length
            self.model[upload] = (length, before + piece)

    @rule(upload=made)
    def read(self, upload: str) -> None:
        length, before = self.model.get(upload, (0, None))
        try:
            found = content(self.kept, upload, Path(self.folder.name) / "whole")
        except UploadNotFound:
            assert before is None
        except UploadConflict:
            assert before is not None and len(before) < length
        else:
            assert found == before and len(found) == length

    @rule(upload=consumes(made))
    def discard(self, upload: str) -> None:
        self.kept.discard(upload)
        self.model.pop(upload, None)

    def teardown(self) -> None:
        self.folder.cleanup()


TestPieces = Pieces.TestCase
TestPieces.settings = settings(max_examples=examples(20), stateful_step_count=15, deadline=None)
