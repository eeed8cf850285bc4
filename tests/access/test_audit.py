"""The audit log: lines are durable and in order with concurrent writers and failing disks."""

import json
import logging
import multiprocessing
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.access import audit as audits
from service.access.audit import Audit, Change, collect_changes, record_change
from service.access.keys import create_key
from service.access.scopes import Scope

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MOVED = Change("alias.moved", "line/production", 2, 3)


def test_the_fields_of_a_line(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit", now=lambda: NOON)
    key, secret = create_key("ann", [Scope.ADMIN], NOON)
    audit.append(key, [MOVED], request_id="r1", status=200)
    (line,), more = audit.read(None, 10)
    assert not more
    assert line.pop("id").startswith("2026-11-23:")
    assert line == {
        "at": "2026-11-23T12:00:00.000000Z", "who": "ann", "key_id": key.id, "request_id": "r1", "status": 200,
        "changes": [{"what": "alias.moved", "on": "line/production", "from": 2, "to": 3}],
    }  # fmt: skip
    (file,) = (tmp_path / "audit").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    assert secret not in file.read_text() and key.sha256 not in file.read_text()


def test_pages_span_days(tmp_path: Path) -> None:
    for day in range(3):
        audit = Audit(tmp_path, now=lambda day=day: NOON + timedelta(days=day))  # type: ignore[misc]
        for number in range(5):
            audit.append("ann", [MOVED], number=5 * day + number)
    found, after = [], None
    while True:
        page, more = audit.read(after, 4)
        found += [line["number"] for line in page]
        if not more:
            break
        after = page[-1]["id"]
    assert found == list(range(15))
    assert audit.read(page[-1]["id"], 4) == ([], False)


@pytest.mark.parametrize(
    "wrong", ["", "x", "2026-11-23", "2026-11-23:", "2026-11-23:-1", "../../etc:1", "2026-11-23:1\n"]
)
def test_invalid_ids_are_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(wrong)}$"):
        Audit(tmp_path).read(wrong, 1)


@given(st.integers(0, 2000))
def test_reading_from_any_byte_gives_whole_lines(tmp_path_factory: pytest.TempPathFactory, byte: int) -> None:
    audit = Audit(tmp_path_factory.mktemp("audit"), now=lambda: NOON)
    for number in range(5):
        audit.append("ann", [MOVED], number=number)
    whole, _ = audit.read(None, 10)
    found, _ = audit.read(f"2026-11-23:{byte}", 10)
    ends = [int(line["id"].partition(":")[2]) for line in whole]
    begins = [end + 1 for end in [0, *ends[:-1]]]  # a newline precedes each
    assert found == [line for line, begin in zip(whole, begins, strict=True) if begin >= byte]


def test_a_truncated_line_affects_no_other(tmp_path: Path) -> None:
    audit = Audit(tmp_path, now=lambda: NOON)
    audit.append("ann", [MOVED], number=1)
    with (tmp_path / "2026-11-23.jsonl").open("ab") as file:
        file.write(b'\n{"at": "2026-11-23T12:00')
    assert [line["number"] for line in audit.read(None, 10)[0]] == [1]
    audit.append("ann", [MOVED], number=2)
    found = audit.read(None, 10)[0]
    assert [line.get("number") for line in found] == [1, None, 2]
    assert [line.get("error", {}).get("code") for line in found] == [None, "audit_damaged", None]


def test_lines_without_a_seal_are_read(tmp_path: Path) -> None:
    (tmp_path / "2026-11-23.jsonl").write_text('\n{"at": "2026-11-23T12:00:00.000000Z", "number": 1}\n')
    assert [line["number"] for line in Audit(tmp_path).read(None, 10)[0]] == [1]


def test_lines_that_cannot_be_written_go_to_the_service_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "audit").write_text("a file where the folder should be")
    audit = Audit(tmp_path / "audit")
    with caplog.at_level(logging.ERROR):
        audit.append("ann", [MOVED], request_id="r1")
    (record,) = caplog.records
    assert json.loads(record.getMessage().partition("): ")[2])["changes"] == [MOVED.to_json()]


def test_refused_attempts_are_limited_per_caller_and_changes_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = Audit(tmp_path)
    for _ in range(audits.MOST_A_MINUTE + 30):
        audit.append(None, [], status=401)
        audit.append("ann", [MOVED])
    key, _ = create_key("bob", [Scope.PREDICT], NOON)
    audit.append(key, [], status=403)
    monkeypatch.setattr(audits, "MINUTE", 0.0)
    audit.append(None, [], status=401)
    lines, _ = audit.read(None, 1000)
    counts = {process: sum(line["who"] == process for line in lines) for process in (None, "ann", "bob")}
    assert counts == {None: audits.MOST_A_MINUTE + 1, "ann": audits.MOST_A_MINUTE + 30, "bob": 1}
    assert [line["left_out"] for line in lines if "left_out" in line] == [30]
    audit.append_later(None, status=401)
    audit.close()
    assert len(audit.read(None, 1000)[0]) == len(lines) + 1


def test_old_days_are_deleted(tmp_path: Path) -> None:
    for days in (0, 5, 10):
        Audit(tmp_path, now=lambda days=days: NOON - timedelta(days=days)).append("ann", [MOVED])  # type: ignore[misc]
    Audit(tmp_path, now=lambda: NOON).forget_old(5)
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["2026-11-18", "2026-11-23"]


def test_a_change_outside_of_a_request_is_ignored() -> None:
    record_change("lost", "nowhere")
    changes = collect_changes()
    record_change("alias.moved", "line/production", 2, 3)
    assert changes == [MOVED]


def write(folder: Path, writer: int) -> None:
    """Writes a hundred lines from one process."""
    audit = Audit(folder, now=lambda: NOON)
    for number in range(100):
        audit.append(f"p{writer}", [Change("x", "y" * 500, None, number)])


def test_several_processes_write_whole_lines(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    started = [context.Process(target=write, args=(tmp_path, writer)) for writer in range(3)]
    for process in started:
        process.start()
    for process in started:
        process.join(120)
        assert process.exitcode == 0
    lines, _ = Audit(tmp_path, now=lambda: NOON).read(None, 1000)
    for writer in range(3):
        assert [line["changes"][0]["to"] for line in lines if line["who"] == f"p{writer}"] == list(range(100))


def test_a_damaged_line_is_shown_as_damaged_and_affects_no_other(tmp_path: Path) -> None:
    audit = Audit(tmp_path, now=lambda: NOON)
    for number in range(3):
        audit.append("ann", [MOVED], number=number)
    whole, _ = audit.read(None, 10)
    (file,) = tmp_path.iterdir()
    data = file.read_bytes()
    begin = int(whole[0]["id"].partition(":")[2]) + 1  # within the second line
    for byte in range(begin, data.index(b"\n", begin)):
        flipped = bytearray(data)
        flipped[byte] ^= 1 << byte % 3
        file.write_bytes(flipped)
        found, _ = audit.read(None, 10)
        assert whole[0] in found and whole[2] in found and whole[1] not in found
        assert any("error" in line for line in found)
    (tmp_path / "2026-11-24.jsonl").write_bytes(data)  # the file of a day under the name of another
    assert all("error" in line for line in audit.read("2026-11-24:0", 10)[0])
