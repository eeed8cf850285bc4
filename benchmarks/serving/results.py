"""The measurements, and their lines in the table."""

import sys
import time
from dataclasses import dataclass, field

from benchmarks.serving.load import Closed


@dataclass
class Seen:
    """The measurements of one server in one workload, a value for each round."""

    rate: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # seconds a request
    failures: int = 0

    def add(self, closed: Closed, cpu: float) -> None:
        """One round."""
        self.rate.append(closed.rate)
        self.p50.append(closed.p50)
        self.cpu.append(cpu / max(1, closed.answered))
        self.failures += closed.refused + closed.broken


def figure(work: str, measured: str, must: str, holds: bool | None) -> str:
    """A line of the table."""
    return f"| {work} | {measured} | {must} | {'' if holds is None else 'yes' if holds else '**no**'} |\n"


def log_progress(what: str) -> None:
    """Prints the current step to stderr."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {what}\n")
