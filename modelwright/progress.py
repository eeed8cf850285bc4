"""How a training goes, on stderr."""

import sys
from collections.abc import Mapping
from typing import Any, TextIO

from modelwright.results import Event

WIDTH = 30  # of the bar, in characters
LINES = 10  # of a training, where nothing can be written again


class Progress:
    """Shows the events of a job: on a terminal a bar that moves, elsewhere a line after each tenth of the epochs.

    Args:
        job: whose events they are.
        file: where to write; stderr if not given.
    """

    def __init__(self, job: Mapping[str, Any], file: TextIO | None = None) -> None:
        training = job.get("spec", {}).get("training", {})
        epochs = training.get("epochs")
        self.name = str(job.get("model_name", ""))
        self.epochs = epochs if isinstance(epochs, int) else 0
        self.file = sys.stderr if file is None else file
        self.moves = self.file.isatty()
        self._printed, self._drawn = 0, 0

    def take(self, event: Event) -> None:
        """Shows an event."""
        data = event.data
        if event.type == "message":
            self._line(_printable(str(data.get("text", ""))))
        elif event.type == "status" and data.get("status") not in ("queued", "running"):
            self._line(f"{self.name}: {data.get('status')}")
        elif event.type == "metrics" and isinstance(data.get("epoch"), int):
            self._epoch(data["epoch"], data)

    def end(self) -> None:
        """Leaves the line of the bar."""
        if self._drawn:
            self.file.write("\n")
            self.file.flush()
            self._drawn = 0

    def _epoch(self, epoch: int, data: Mapping[str, Any]) -> None:
        numbers = {name: value for name, value in data.items() if isinstance(value, float)}
        figures = "  ".join(f"{_printable(name)} {value:.4g}" for name, value in numbers.items())
        if self.moves:
            done = min(WIDTH, WIDTH * epoch // self.epochs) if self.epochs else 0
            text = f"{self.name} {'█' * done}{'·' * (WIDTH - done)} {epoch}/{self.epochs or '?'}  {figures}"
            self.file.write(f"\r{text.ljust(self._drawn)}")
            self.file.flush()
            self._drawn = len(text)
        elif epoch - self._printed >= self.epochs / LINES or epoch == self.epochs:
            self._printed = epoch
            self._line(f"{self.name}: epoch {epoch} of {self.epochs or '?'}  {figures}")

    def _line(self, text: str) -> None:
        self.end()
        self.file.write(f"{text}\n")
        self.file.flush()


def _printable(text: str) -> str:
    """A text on one line, without control characters of terminals."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
