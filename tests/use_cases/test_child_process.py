"""Child processes: who stands still is killed, who works is not, and nobody is left."""

import asyncio
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import service
from service import liveness
from service.use_cases.child_process import ChildHung, Completed, OutputTooLarge, run
from service.use_cases.draw_plot import DrawingFailed, _render
from service.use_cases.upload_dataset import Surveys
from service.workflow.data.reading import ReadingOptions

ODD = "tests.use_cases.odd_child"
MODULES = {ODD, "service.workflow.data.survey", "service.workflow.look.render"}


@pytest.fixture(autouse=True)
def silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "SILENCE", 1.0)


@pytest.fixture(autouse=True)
def nobody_is_left() -> Iterator[None]:
    yield
    assert _children() == []


def _children() -> list[psutil.Process]:
    """Those that are run here; other tests have servers."""
    return [each for each in psutil.Process().children() if MODULES & set(_command(each))]


def _command(process: psutil.Process) -> list[str]:
    try:
        command: list[str] = process.cmdline()
    except psutil.Error:
        return []
    return command


def _odd(what: str, stdin: bytes = b"", most_seconds: float = 60) -> Any:
    return run(ODD, what, stdin=stdin, environment={}, most_seconds=most_seconds, most_bytes=100_000)


async def _stop_the_child() -> None:
    while not (children := _children()):
        await asyncio.sleep(0.01)
    children[0].send_signal(signal.SIGSTOP)


def test_one_that_stands_still_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("a,b\n1,2\n")

    async def both(work: Any) -> None:
        await asyncio.gather(work, _stop_the_child())

    with pytest.raises(ChildHung):
        asyncio.run(both(Surveys().survey(file, "text/csv", ReadingOptions(), 1000)))
    with pytest.raises(DrawingFailed):
        asyncio.run(both(_render(b"{}", tmp_path)))
    with pytest.raises(ChildHung):
        asyncio.run(both(_odd("waits")))


def test_it_imports_what_its_parent_does_and_nothing_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("random.py", "service.py"):
        (tmp_path / name).write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])  # the current folder, as an interactive Python has it
    assert asyncio.run(_odd("imports")) == Completed(0, f"{service.__file__} {random.__file__}".encode(), b"")


def test_one_that_is_busy_in_native_code_is_not() -> None:
    assert asyncio.run(_odd("busy", stdin=b"words")) == Completed(0, b"words", b"")


def test_what_it_writes_is_bounded() -> None:
    with pytest.raises(OutputTooLarge):
        asyncio.run(asyncio.wait_for(_odd("writes"), 60))


def test_its_time_is_bounded_and_it_ends_with_whoever_waits_for_it() -> None:
    with pytest.raises(TimeoutError):
        asyncio.run(_odd("waits", most_seconds=0.1))

    async def cancel() -> None:
        work = asyncio.create_task(_odd("waits"))
        while not _children():
            await asyncio.sleep(0.01)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    asyncio.run(cancel())


def test_a_child_gets_the_paths_of_libraries_and_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LD_LIBRARY_PATH", "MODELWRIGHT_ADMIN_KEY"):
        monkeypatch.setenv(name, "/nowhere")
    names = set(asyncio.run(_odd("environment")).stdout.decode().split())
    assert {"PATH", "LD_LIBRARY_PATH", "PYTHONPATH"} <= names and "MODELWRIGHT_ADMIN_KEY" not in names
