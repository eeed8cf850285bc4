from pathlib import Path

import pytest

from model_store import read_bundle
from model_store.errors import InvalidBundle
from tests.model_store.hostile_bundles import HOSTILE, WEIGHTS, flipped_everywhere, good

MAX_BYTES = 1_000_000


@pytest.fixture
def work_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def test_the_unmodified_bundle_is_accepted(tmp_path: Path, work_dir: Path) -> None:
    (tmp_path / "bundle").write_bytes(good())
    draft = read_bundle(tmp_path / "bundle", work_dir, MAX_BYTES)
    assert {file: path.read_bytes() for file, path in draft.files.items()} == {"weights": WEIGHTS}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bundles_are_refused(tmp_path: Path, work_dir: Path, name: str) -> None:
    build, rule = HOSTILE[name]
    (tmp_path / "bundle").write_bytes(build())
    with pytest.raises(InvalidBundle, match=rule) as caught:
        read_bundle(tmp_path / "bundle", work_dir, MAX_BYTES)
    assert str(tmp_path) not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert list(work_dir.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "work"]


def test_a_changed_byte_in_a_file_is_refused(tmp_path: Path, work_dir: Path) -> None:
    for data in flipped_everywhere():
        (tmp_path / "bundle").write_bytes(data)
        with pytest.raises(InvalidBundle):
            read_bundle(tmp_path / "bundle", work_dir, MAX_BYTES)
    assert list(work_dir.iterdir()) == []


def test_a_changed_byte_anywhere_is_refused_or_harmless(tmp_path: Path, work_dir: Path) -> None:
    """Some header fields mean nothing (times, versions): an accepted bundle must be the same."""
    whole = good()
    for place in range(len(whole)):
        for mask in (0x01, 0x80, 0xFF):
            (tmp_path / "bundle").write_bytes(whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :])
            try:
                draft = read_bundle(tmp_path / "bundle", work_dir, MAX_BYTES)
            except InvalidBundle:
                continue
            assert {file: path.read_bytes() for file, path in draft.files.items()} == {"weights": WEIGHTS}
            for path in draft.files.values():
                path.unlink()
    assert list(work_dir.iterdir()) == []


def test_the_total_size_is_bounded(tmp_path: Path, work_dir: Path) -> None:
    (tmp_path / "bundle").write_bytes(good())
    with pytest.raises(InvalidBundle, match="at most 800 bytes"):
        read_bundle(tmp_path / "bundle", work_dir, 800)
