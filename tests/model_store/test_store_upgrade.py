# ruff: noqa: S603 - the processes started are our own
"""A store written by earlier versions: it is read unchanged, counted, and upgraded with checksums."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from model_store import Store
from model_store.errors import NameNotFound, VersionNotFound
from tests.examples import TIMES
from tests.model_store.source_files import source_files

HERE = Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}


def write(path: Path, fields: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(json.dumps(fields, sort_keys=True).encode())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Of `line` versions 1 to 4, of which 2 and 4 are deleted, and `production`, which was on 1 and is on 3. `gone` had one
    version. One data set."""
    root = tmp_path / "store"
    store = Store.open(root)
    for name, count in (("line", 4), ("gone", 1)):
        for number in range(1, count + 1):
            store.models.publish(name, {"number": number}, source_files(tmp_path, {"f": b"x"}), key=f"job{number}")
    store.datasets.publish("rows", {}, {})
    for record in root.glob("*/*/versions/*"):
        fields = json.loads(record.read_bytes())
        write(record, {each: fields[each] for each in ("digest", "content", "key", "created_at")})
    for place in ("line/versions/2", "line/versions/4", "gone/versions/1"):
        record = root / "models" / place
        fields = json.loads(record.read_bytes())
        write(record, {**fields, "key": None, "deleted_at": "2026-01-31T12:00:00.000000Z"})
        content = root / "models" / place.split("/")[0] / "contents" / fields["content"]
        content.rename(tmp_path / fields["content"])
    for marks in root.glob("*/*/marks"):
        marks.rename(tmp_path / marks.parent.name)
    for number, version in enumerate((1, 3), 1):
        entry = {"number": number, "version": version, "created_at": "2026-01-31T12:00:00.000000Z"}
        write(root / f"models/line/aliases/production/{number}", entry)
    return root


def check(store: Store) -> None:
    assert store.models.names() == ["line"]
    assert store.models.numbers("line") == [1, 3]
    assert [store.models.get("line", number).manifest["number"] for number in (1, 3)] == [1, 3]
    assert store.resolve("line", "production").number == store.resolve("line", "latest").number == 3
    assert [entry.version for entry in store.aliases.history("line", "production")] == [1, 3]
    for name, error in (("line", VersionNotFound), ("gone", NameNotFound)):
        with pytest.raises(error):
            store.models.get(name, 4)
    assert store.models.published("line", "job3") == store.models.get("line", 3)
    assert store.datasets.numbers("rows") == [1]
    assert store.verify() == []


def test_a_store_of_an_earlier_version_is_read_unchanged(root: Path) -> None:
    store = Store.open(root)
    check(store)
    assert store.examine().unsealed == 8  # five records of line and gone, one of rows, two entries
    store.sweep(-60)
    check(store)
    assert store.models.publish("line", {}, {}).number == 5
    assert store.models.publish("gone", {}, {}).number == 2
    assert store.aliases.set("line", "production", 5).number == 3
    store.delete_version("line", 3)
    assert store.models.numbers("line") == [1, 5]


def test_an_upgrade_adds_checksums(root: Path) -> None:
    store = Store.open(root)
    before = {number: store.models.get("line", number) for number in (1, 3)}
    assert store.upgrade() == 7  # not the record of version 2, which a tombstone has replaced
    check(store)
    assert store.examine().unsealed == 0
    assert {number: store.models.get("line", number) for number in (1, 3)} == before
    assert store.upgrade() == 0
    for path in [
        path for path in root.rglob("*") if path.is_file() and path.stat().st_size and "contents" not in path.parts
    ]:
        whole = path.read_bytes()
        path.write_bytes(whole.replace(b"1", b"3"))
        assert path.read_bytes() == whole or store.verify(), path
        path.unlink()
        assert store.verify(), path
        path.write_bytes(whole)
    check(store)


def test_an_upgrade_survives_a_kill_at_any_step(root: Path, tmp_path: Path) -> None:
    script = [sys.executable, str(HERE / "upgrade_and_die.py"), str(root), str(tmp_path / "copies")]
    done = subprocess.run(script, capture_output=True, text=True, timeout=300, check=True, env=ENVIRONMENT)
    assert int(done.stdout) > 30
    for copy in sorted((tmp_path / "copies").iterdir())[:: 1 if TIMES >= 1 else 6]:  # all steps in scripts/nightly
        store = Store.open(copy)
        check(store)
        store.upgrade()
        check(store)
        assert store.examine().unsealed == 0
