"""Child processes: one without progress is killed, one that computes is not, and none is left behind."""

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
from service.use_cases.artifacts import make_in_child
from service.use_cases.child_process import ChildHung, Completed, OutputTooLarge, run
from service.use_cases.draw_plot import MOST_SECONDS, DrawingFailed
from service.use_cases.upload_dataset import Surveys
from service.workflow.data.reading import ReadingOptions

ODD = "tests.use_cases.odd_child"
MODULES = {ODD, "service.workflow.data.survey", "service.workflow.look.render"}


@pytest.fixture(autouse=True)
def hung_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "HUNG_AFTER", 1.0)


@pytest.fixture(autouse=True)
def no_child_is_left() -> Iterator[None]:
    yield
    assert _children() == []


def _children() -> list[psutil.Process]:
    """The children that these tests start; other tests have servers."""
    return [each for each in psutil.Process().children() if MODULES & set(_command(each))]


def _command(process: psutil.Process) -> list[str]:
    try:
        command: list[str] = process.cmdline()
    except psutil.Error:
        return []
    return command


def _run_odd_child(what: str, stdin: bytes = b"", most_seconds: float = 60) -> Any:
    return run(ODD, what, stdin=stdin, environment={}, most_seconds=most_seconds, most_bytes=100_000)


async def _stop_the_child() -> None:
    while not (children := _children()):
        await asyncio.sleep(0.01)
    children[0].send_signal(signal.SIGSTOP)


def test_a_child_without_progress_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("a,b\n1,2\n")

    async def both(work: Any) -> None:
        await asyncio.gather(work, _stop_the_child())

    with pytest.raises(ChildHung):
        asyncio.run(both(Surveys().survey(file, "text/csv", ReadingOptions(), 1000)))
    with pytest.raises(DrawingFailed):
        render = make_in_child(
            "service.workflow.look.render", b"{}", tmp_path, most_seconds=MOST_SECONDS, error=DrawingFailed
        )
        asyncio.run(both(render))
    with pytest.raises(ChildHung):
        asyncio.run(both(_run_odd_child("waits")))


def test_a_child_has_the_import_path_of_its_parent_without_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("random.py", "service.py"):
        (tmp_path / name).write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])  # the current folder, as an interactive Python has it
    assert asyncio.run(_run_odd_child("imports")) == Completed(0, f"{service.__file__} {random.__file__}".encode(), b"")


def test_a_child_that_computes_in_native_code_is_not_killed() -> None:
    assert asyncio.run(_run_odd_child("busy", stdin=b"words")) == Completed(0, b"words", b"")


def test_the_output_of_a_child_is_bounded() -> None:
    with pytest.raises(OutputTooLarge):
        asyncio.run(asyncio.wait_for(_run_odd_child("writes"), 60))


def test_the_time_of_a_child_is_bounded_and_it_ends_when_its_caller_is_cancelled() -> None:
    with pytest.raises(TimeoutError):
        asyncio.run(_run_odd_child("waits", most_seconds=0.1))

    async def cancel() -> None:
        work = asyncio.create_task(_run_odd_child("waits"))
        while not _children():
            await asyncio.sleep(0.01)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    asyncio.run(cancel())


def test_a_child_gets_the_paths_of_libraries_and_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LD_LIBRARY_PATH", "MODELWRIGHT_ADMIN_KEY"):
        monkeypatch.setenv(name, "/nowhere")
    names = set(asyncio.run(_run_odd_child("environment")).stdout.decode().split())
    assert {"PATH", "LD_LIBRARY_PATH", "PYTHONPATH"} <= names and "MODELWRIGHT_ADMIN_KEY" not in names
