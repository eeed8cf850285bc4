"""The folder of checkpoints: writes are atomic, and the previous checkpoint is kept."""

import hashlib
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from model_store.durable_files import sync
from service.workflow.checkpoint_folder import NAME, CheckpointFolder, FoundCheckpoint
from service.workflow.tensor_file import write


def state(number: int) -> dict[str, Any]:
    return {"number": number, "weights": {"w": torch.full((3,), float(number))}}


def number(found: FoundCheckpoint) -> int | None:
    return None if found.state is None else found.state["number"]


def newest(folder: Path) -> Path:
    return max(folder.iterdir())


def test_the_newest_is_found_and_the_two_newest_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "yet" / "there"
    assert CheckpointFolder(folder, sync).load() == FoundCheckpoint(None, 0)
    assert not (tmp_path / "not").exists()
    for each in range(1, 6):
        CheckpointFolder(folder, sync).save(state(each))
        assert number(CheckpointFolder(folder, sync).load()) == each
        names = [NAME.fullmatch(path.name) for path in folder.iterdir()]
        assert sorted(int(name["number"]) for name in names if name) == list(range(max(1, each - 1), each + 1))
        assert all(names)


def test_a_truncated_checkpoint_is_ignored(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, sync)
    folder.save(state(1))
    folder.save(state(2))
    path = newest(tmp_path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        found = folder.load()
        assert (number(found), found.damaged) == (1, 1), length
        assert not path.exists()
    path.write_bytes(whole)
    assert number(folder.load()) == 2


def test_a_checkpoint_with_a_flipped_bit_is_ignored(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, sync)
    folder.save(state(1))
    folder.save(state(2))
    path = newest(tmp_path)
    whole = bytearray(path.read_bytes())
    for position in range(len(whole)):
        whole[position] ^= 1 << position % 8
        path.write_bytes(whole)
        whole[position] ^= 1 << position % 8
        found = folder.load()
        assert (number(found), found.damaged) == (1, 1), position


def test_damaged_checkpoints_do_not_count_among_those_kept(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, sync)
    for each in (1, 2):
        folder.save(state(each))
    newest(tmp_path).write_bytes(b"")
    assert number(folder.load()) == 1
    folder.save(state(3))
    newest(tmp_path).write_bytes(b"")
    assert number(folder.load()) == 1


def test_there_is_no_checkpoint_if_all_are_damaged(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, sync)
    for each in (1, 2):
        folder.save(state(each))
    for path in tmp_path.iterdir():
        path.write_bytes(b"x" * 1000)
    assert folder.load() == FoundCheckpoint(None, 2)
    assert list(tmp_path.iterdir()) == []


def test_an_unreadable_checkpoint_is_kept(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, sync)
    for each in (1, 2):
        folder.save(state(each))
    older, path = sorted(tmp_path.iterdir())
    kept = path.read_bytes()
    path.unlink()
    path.symlink_to(path)  # ELOOP: the file exists, but cannot be opened
    found = folder.load()
    assert (number(found), found.damaged) == (1, 0)
    older.unlink()
    with pytest.raises(OSError, match="symbolic links"):
        folder.load()
    path.unlink()
    path.write_bytes(kept)
    assert number(folder.load()) == 2


def test_a_checkpoint_of_another_software_version_is_ignored(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, sync)
    folder.save(state(1))
    for metadata in ({"state": '{"set": []}'}, {"state": "{"}, {}, {"state": '{"tensor": "1", "strides": [1]}'}):
        write({"0": torch.zeros(1)}, tmp_path / "new", metadata)
        digest = hashlib.sha256((tmp_path / "new").read_bytes()).hexdigest()
        (tmp_path / "new").rename(tmp_path / f"00000002-{digest}.safetensors")
        found = folder.load()
        assert (number(found), found.damaged) == (1, 1)


def test_leftovers_of_a_killed_writer_are_removed(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, sync)
    folder.save(state(1))
    (tmp_path / "abc.tmp").write_bytes(b"half")
    (tmp_path / ".tmpXyz").write_bytes(b"half")
    assert number(folder.load()) == 1
    assert len(list(tmp_path.iterdir())) == 1


@contextmanager
def files_of_at_most(count: int) -> Iterator[None]:
    """Limit the size of all files of this process, which resembles a full disk without root."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_keeps_the_previous_checkpoint_and_leaves_no_file(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, sync)
    folder.save(state(1))
    with files_of_at_most(10_000), pytest.raises(OSError, match="File too large"):
        folder.save({"number": 2, "weights": torch.zeros(100_000)})
    assert len(list(tmp_path.iterdir())) == 1
    assert number(folder.load()) == 1


@pytest.mark.parametrize("failing", ["fsync", "rename"])
def test_a_failed_write_raises_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    folder = CheckpointFolder(tmp_path, sync)
    folder.save(state(1))

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync" if failing == "fsync" else "pathlib.Path.rename", fail)
        with pytest.raises(OSError, match="No space left"):
            folder.save(state(2))
    assert [path.name[:8] for path in tmp_path.iterdir()] == ["00000001"]
    assert number(folder.load()) == 1
