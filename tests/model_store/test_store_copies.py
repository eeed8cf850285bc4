"""A copy of a store that changes meanwhile is consistent."""

import contextlib
import json
import random
import shutil
from pathlib import Path

import pytest

from model_store import Store
from model_store.copying import copy_store
from model_store.errors import StoreError, Unavailable
from tests.model_store.content import content

COPIED = shutil.copyfile
CHANGES = 25  # during one copy, so that it can end


def change(store: Store, file: Path, rng: random.Random) -> None:
    """Publish, move an alias, delete or sweep."""
    with contextlib.suppress(StoreError):
        match rng.randrange(6):
            case 0 | 1:
                file.write_text(str(rng.random()))
                store.models.publish("line", {"format": 1}, {"f": file})
            case 2 | 3:
                store.aliases.set("line", rng.choice("xy"), store.models.latest_number("line"))
            case 4:
                store.delete_version("line", rng.choice(store.models.numbers("line")))
            case _:
                store.sweep(3600)


@pytest.mark.parametrize("seed", range(8))
def test_a_copy_of_a_changing_store_is_consistent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - no secret
    store = Store.open(tmp_path / "store")
    for _ in range(10):
        change(store, tmp_path / "file", rng)
    left = CHANGES

    def copied(source: Path, target: Path) -> None:
        """Change the store before each copied file."""
        nonlocal left
        if left and rng.random() < 0.4:
            left -= 1
            change(store, tmp_path / "file", rng)
        COPIED(source, target)

    monkeypatch.setattr(shutil, "copyfile", copied)
    copy_store(tmp_path / "store", tmp_path / "copy")
    report = Store.open(tmp_path / "copy").examine()
    assert [str(each) for each in report.damages] == []
    assert report.leftovers == 0


def test_a_store_that_changes_during_every_attempt_is_not_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, rng = Store.open(tmp_path / "store"), random.Random(1)  # noqa: S311 - no secret
    monkeypatch.setattr("model_store.copying.MOST_LISTINGS", 2)

    def publish() -> None:
        (tmp_path / "file").write_text(str(rng.random()))
        store.models.publish("line", {"format": 1}, {"f": tmp_path / "file"})

    def copied(source: Path, target: Path) -> None:
        publish()
        COPIED(source, target)

    publish()
    monkeypatch.setattr(shutil, "copyfile", copied)
    with pytest.raises(Unavailable, match="changes all the time"):
        copy_store(tmp_path / "store", tmp_path / "copy")


def test_damaged_files_are_copied_unchanged(tmp_path: Path) -> None:
    root = tmp_path / "store"
    store = Store.open(root)
    for number in range(3):
        (tmp_path / "f").write_text(str(number))
        store.models.publish("line", {"format": 1}, {"f": tmp_path / "f"})
    (root / "models/line/versions/1").write_text("{")
    lost = json.loads((root / "models/line/versions/2").read_bytes())["content"]
    shutil.rmtree(root / "models/line/contents" / lost)
    (root / "models/line/versions/3.bak").write_text("a stranger")
    copy_store(root, tmp_path / "copy")
    copy = Store.open(tmp_path / "copy")
    assert [str(fault) for fault in copy.verify()] == [str(fault) for fault in store.verify()] != []
    assert content(copy.models, copy.models.get("line", 3), "f") == b"2"
