"""Every log record, from any library and with any content, is one line with one JSON object."""

import json
import os
import pty
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
HOSTILE = 'a\nb\r\u2028c\x1b[31m\x00\ud800"}\n{"level":"error"'
BEGINNING = f"""
import logging, threading, warnings
from service.telemetry import logs
logs.configure("info")
log = logging.getLogger("some.library")
HOSTILE = {HOSTILE!r}
"""


def run(code: str, **streams: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BEGINNING + code]
    return subprocess.run(command, cwd=ROOT, text=True, timeout=120, check=False, **streams)  # noqa: S603 - our own


def lines(code: str) -> list[dict[str, Any]]:
    """The lines that the code logs; stderr has nothing else."""
    stderr = run(code, capture_output=True).stderr
    found = [json.loads(line) for line in stderr.split("\n")[:-1]]
    for each in found:
        assert list(each)[:4] == ["timestamp", "level", "logger", "event"]
        assert each["timestamp"].endswith("Z")
        assert datetime.fromisoformat(each["timestamp"]).tzinfo is not None
    return found


def test_a_line_of_any_library_is_a_json_object() -> None:
    (line,) = lines("log.warning('%d of %s', 2, HOSTILE, extra={'job_id': 'j1', 'color_message': 'x', 'secret': 's'})")
    assert {name: line[name] for name in ("level", "logger", "event", "job_id")} == {
        "level": "warning",
        "logger": "some.library",
        "event": f"2 of {HOSTILE}",
        "job_id": "j1",
    }
    assert not {"color_message", "secret"} & line.keys()


def test_an_exception_is_text_in_its_line_and_shows_no_values() -> None:
    (line,) = lines("""
def fail():
    password = "s3" + "cret"
    raise ValueError(HOSTILE)
try:
    fail()
except ValueError:
    log.exception("it failed")
""")
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith(f"ValueError: {HOSTILE}")
    assert "s3cret" not in json.dumps(line)


@pytest.mark.parametrize(
    ("code", "level", "word"),
    [
        ("warnings.warn('old')", "warning", "old"),
        ("threading.Thread(target=lambda: 1 / 0).start()", "critical", "ZeroDivisionError"),
        ("1 / 0", "critical", "ZeroDivisionError"),
    ],
)
def test_messages_of_the_interpreter_are_lines(code: str, level: str, word: str) -> None:
    (line,) = lines(code)
    assert line["level"] == level
    assert word in line.get("exception", line["event"])


def test_context_variables_are_in_every_line_until_the_next_request() -> None:
    first, second = lines("""
from service.telemetry.request import REQUEST_ID
token = REQUEST_ID.set("r1"); logs.begin("t1"); log.info("a")
REQUEST_ID.reset(token); logs.begin(None); log.info("b")
""")
    assert (first["request_id"], first["trace_id"]) == ("r1", "t1")
    assert not {"request_id", "trace_id"} & second.keys()


def test_messages_below_the_level_are_not_logged() -> None:
    assert [
        line["event"] for line in lines("log.debug('no'); logs.configure('error'); log.info('no'); log.error('yes')")
    ] == ["yes"]


def test_output_of_native_code_is_not_in_the_log() -> None:
    found = lines("""
import os, threading
import polars as pl
from service.workflow.data.native_errors import native_errors
from service.workflow.errors import InvalidData

def read():
    try:
        with native_errors("a table"):
            log.info("before")
            os.write(2, b"thread panicked at")
            pl.Series([2**62]).cast(pl.Datetime("ms")).dt.to_string("%Y").to_list()
            raise pl.exceptions.PanicException
    except InvalidData:
        log.info("after")

threads = [threading.Thread(target=read) for _ in range(20)]
for each in threads: each.start()
for each in threads: each.join()
os.write(2, b'{"timestamp":"2026-01-01T00:00:00Z","level":"","logger":"","event":"open again"}\\n')
""")
    events = Counter(line["event"].split(":")[0] for line in found)
    assert events == {"after": 20, "before": 20, "error of the reader of a table": 20, "open again": 1}


def test_terminals_get_text() -> None:
    ours, theirs = pty.openpty()
    try:
        run("log.warning('watch out', extra={'job_id': 'j1'})", stderr=theirs)
        os.close(theirs)
        stderr = os.read(ours, 65_536).decode()
    finally:
        os.close(ours)
    assert "watch out" in stderr
    assert "j1" in stderr
    assert "{" not in stderr
