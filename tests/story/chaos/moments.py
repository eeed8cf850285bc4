"""The moment of a strike: a random time shortly after the start of something that must be atomic."""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

from tests.story.chaos.site import Site

LOOK = 0.002  # seconds between checks; the events take a few milliseconds
PATIENCE = 4.0  # seconds after which the strike happens anyway: current work may take long
TRAINERS_WITHIN = 30.0  # seconds until a trainer works again after a start or a crash

# The event, and within how many seconds after it the strike happens.
MOMENTS: dict[str, float] = {
    "submit": 0.03,
    "begin": 0.3,
    "train": 1.5,
    "checkpoint": 0.02,
    "publish": 0.03,
    "any": 1.5,
}


def wait_for(moment: str, site: Site, rng: random.Random) -> str:
    """Returns at such a moment: its name, or "late" if the event has not happened."""
    if moment not in ("any", "submit"):
        deadline = time.monotonic() + TRAINERS_WITHIN
        while not site.trainers() and time.monotonic() < deadline:
            time.sleep(0.05)
    begun = BEGINNINGS[moment](site)
    deadline = time.monotonic() + PATIENCE
    while not (reached := begun()) and time.monotonic() < deadline:
        time.sleep(LOOK)
    time.sleep(rng.uniform(0, MOMENTS[moment]))
    return moment if reached else "late"


def _posting(site: Site) -> Callable[[], bool]:
    site.posting.clear()
    return site.posting.is_set


def _attempt_begins(site: Site) -> Callable[[], bool]:
    attempts = site.home / "tmp" / "attempts"
    before = _names(attempts)
    return lambda: bool(_names(attempts) - before)


def _attempt_runs(site: Site) -> Callable[[], bool]:
    return lambda: bool(_names(site.home / "tmp" / "attempts"))


def _file_appears(root: Path, wanted: str) -> Callable[[], bool]:
    """Whether a new file appears in a folder below `root`. Such files exist only for milliseconds, so every name is
    checked each time."""
    before = {each for folder in _names(root) for each in _names(root / folder)}

    def appeared() -> bool:
        now = {each for folder in _names(root) for each in _names(root / folder)}
        return any(wanted in each for each in now - before)

    return appeared


def _names(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))  # noqa: PTH208 - names alone, and quickly
    except OSError:
        return set()


BEGINNINGS: dict[str, Callable[[Site], Callable[[], bool]]] = {
    "submit": _posting,
    "begin": _attempt_begins,
    "train": _attempt_runs,
    "checkpoint": lambda site: _file_appears(site.home / "checkpoints", ""),
    "publish": lambda site: _file_appears(site.home / "tmp" / "attempts", "state_dict"),
    "any": lambda site: lambda: True,
}
