"""The cache of remote files: it stays within its bound, fetches once, and survives interrupted fetches."""
# ruff: noqa: S603 - the processes started are our own

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

import pytest

from model_store.errors import Unavailable
from model_store.file_cache import FileCache


class Remote:
    """A remote store with a file of `size` bytes for each key; notes the keys that were fetched."""

    def __init__(self, size: int = 100) -> None:
        self.size = size
        self.fetched: list[str] = []

    def fetch(self, key: str) -> Callable[[BinaryIO], None]:
        def write(file: BinaryIO) -> None:
            self.fetched.append(key)
            file.write(self.content(key))

        return write

    def content(self, key: str) -> bytes:
        return key.encode().ljust(self.size)

    def read(self, cache: FileCache, key: str, *, fresh: bool = False) -> bytes:
        with cache.open(key, self.size, self.fetch(key), fresh=fresh) as path:
            return path.read_bytes()


def used(folder: Path) -> int:
    """The size of the cached files in bytes; less while other threads evict and fetch."""
    total = 0
    for name in os.listdir(folder):  # noqa: PTH208 - all names at once
        with suppress(FileNotFoundError):
            total += (folder / name).stat().st_size
    return total


def test_the_cache_stays_within_its_bound_and_evicts_the_least_recently_used(tmp_path: Path) -> None:
    remote, cache = Remote(), FileCache(tmp_path, 300)
    for key in ("a", "b", "c", "a", "d"):
        assert remote.read(cache, key) == remote.content(key)
        assert used(tmp_path) <= 300
    assert [remote.read(cache, key) for key in ("a", "c", "d")] == [remote.content(key) for key in ("a", "c", "d")]
    assert remote.fetched == ["a", "b", "c", "d"]
    assert remote.read(FileCache(tmp_path, 300), "d") == remote.content("d")  # also after a restart
    assert remote.fetched == ["a", "b", "c", "d"]


def test_a_use_changes_no_time_of_the_file_and_leaves_nothing_when_the_file_goes(tmp_path: Path) -> None:
    remote, cache = Remote(), FileCache(tmp_path, 250)
    times = []
    for _ in range(2):
        with cache.open("a", 100, remote.fetch("a")) as path:
            times.append((path.stat().st_mtime_ns, path.stat().st_ctime_ns))
    assert times[0] == times[1]
    (tmp_path / "lost.used").touch()
    for key in ("b", "c", "d"):
        remote.read(cache, key)
    assert len(list(tmp_path.glob("*.used"))) == 2


def test_open_files_are_not_evicted(tmp_path: Path) -> None:
    remote, cache = Remote(), FileCache(tmp_path, 250)
    with ExitStack() as stack:
        paths = [stack.enter_context(cache.open(key, 100, remote.fetch(key))) for key in "ab"]
        with pytest.raises(Unavailable, match="in use"):
            remote.read(FileCache(tmp_path, 250), "c")
        assert [path.read_bytes() for path in paths] == [remote.content(key) for key in "ab"]
    assert remote.read(cache, "c") == remote.content("c")
    assert used(tmp_path) == 200


def test_a_file_larger_than_the_cache_evicts_nothing(tmp_path: Path) -> None:
    remote, cache = Remote(), FileCache(tmp_path, 250)
    remote.read(cache, "a")
    with pytest.raises(Unavailable, match="does not fit"), cache.open("large", 251, remote.fetch("large")):
        pass
    remote.read(cache, "a")
    assert remote.fetched == ["a"]


def test_concurrent_requests_for_a_file_share_one_fetch(tmp_path: Path) -> None:
    remote, cache = Remote(), FileCache(tmp_path, 1000)
    began, goes_on = threading.Event(), threading.Event()

    def slow(file: BinaryIO) -> None:
        began.set()
        assert goes_on.wait(60)
        remote.fetch("a")(file)

    def read(_: int) -> bytes:
        with cache.open("a", 100, slow) as path:
            return path.read_bytes()

    with ThreadPoolExecutor(4) as threads:
        reads = [threads.submit(read, number) for number in range(4)]
        assert began.wait(60)
        goes_on.set()
        assert {each.result() for each in reads} == {remote.content("a")}
    assert remote.fetched == ["a"]


def test_concurrent_requests_stay_within_the_bound(tmp_path: Path) -> None:
    remote, cache = Remote(), FileCache(tmp_path, 500)

    def read(number: int) -> bool:
        key = str(number % 9)
        with cache.open(key, 100, remote.fetch(key)) as path:
            return path.read_bytes() == remote.content(key) and used(tmp_path) <= 500

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(read, range(100)))


@pytest.mark.parametrize("written", [0, 50, 150])
def test_a_failed_fetch_leaves_no_file(tmp_path: Path, written: int) -> None:
    remote, cache = Remote(), FileCache(tmp_path, 300)

    def short(file: BinaryIO) -> None:
        file.write(bytes(written))

    with pytest.raises(Unavailable, match="whole"), cache.open("a", 100, short):
        pass

    def fails(file: BinaryIO) -> None:
        file.write(b"half")
        raise ConnectionError("the remote end is gone")

    with pytest.raises(Unavailable), cache.open("a", 100, fails):
        pass
    assert used(tmp_path) == 0
    assert remote.read(cache, "a") == remote.content("a")


KILLED = """
import os, signal, sys
from pathlib import Path
from model_store.file_cache import FileCache

def fetch(file):
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)

FileCache(Path(sys.argv[1]), 300).open("a", 200, fetch).__enter__()
"""


def test_the_partial_file_of_a_killed_process_is_removed_by_the_next_fetch(tmp_path: Path) -> None:
    remote, cache = Remote(200), FileCache(tmp_path, 300)
    assert subprocess.run([sys.executable, "-c", KILLED, tmp_path], timeout=120, check=False).returncode == -9
    assert used(tmp_path) == 200  # reserved by the killed process
    assert remote.read(cache, "a") == remote.content("a")
    assert used(tmp_path) == 200


def test_a_damaged_file_is_replaced_by_a_fresh_one(tmp_path: Path) -> None:
    remote, cache = Remote(), FileCache(tmp_path, 300)
    with cache.open("a", 100, remote.fetch("a")) as path:
        path.write_bytes(b"damaged")
        assert remote.read(cache, "a", fresh=True) == remote.content("a")
    assert remote.read(cache, "a") == remote.content("a")
    assert remote.fetched == ["a", "a"]
