"""How a training shows on stderr."""

import io
from typing import Any

from modelwright.progress import Progress
from modelwright.results import Event

JOB = {"model_name": "houses", "spec": {"training": {"epochs": 20}}}


class Terminal(io.StringIO):
    """A file that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def show(file: io.StringIO) -> str:
    progress = Progress(JOB, file)
    events: list[tuple[str, dict[str, Any]]] = [
        ("status", {"status": "running"}),
        ("message", {"text": "early\x1b[2J stop"}),
    ]
    events += [("metrics", {"epoch": epoch, "train_loss": 1 / epoch, "seconds": 1}) for epoch in range(1, 21)]
    events += [("metrics", {}), ("new_kind", {}), ("status", {"status": "succeeded"})]
    for number, (kind, data) in enumerate(events):
        progress.take(Event({"id": number, "type": kind, "created_at": "", "data": data}))
    progress.end()
    return file.getvalue()


def test_plain_lines_where_nothing_moves() -> None:
    lines = show(io.StringIO()).splitlines()
    assert lines[0] == "early\\x1b[2J stop"
    assert lines[1:3] == ["houses: epoch 2 of 20  train_loss 0.5", "houses: epoch 4 of 20  train_loss 0.25"]
    assert lines[-2:] == ["houses: epoch 20 of 20  train_loss 0.05", "houses: succeeded"] and len(lines) == 12


def test_a_bar_on_a_terminal() -> None:
    text = show(Terminal())
    *_, last = text.split("\r")
    assert last.startswith("houses " + "█" * 30 + " 20/20  train_loss 0.05")
    assert last.endswith("\nhouses: succeeded\n") and text.count("\r") == 20 and "\x1b" not in text


def test_a_job_without_a_spec() -> None:
    file = io.StringIO()
    progress = Progress({"model_name": "houses"}, file)
    progress.take(Event({"id": 1, "type": "metrics", "created_at": "", "data": {"epoch": 1, "loss": 0.5}}))
    assert file.getvalue() == "houses: epoch 1 of ?  loss 0.5\n"
