"""When a strike falls: at a random moment shortly after something has begun that must not be torn apart."""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

from tests.story.chaos.site import Site

LOOK = 0.002  # seconds between looks; what is waited for takes a few milliseconds
PATIENCE = 4.0  # seconds after which the strike falls anyway: what is under way may be long
TRAINERS_WITHIN = 30.0  # seconds until a trainer is at work again: after a start it takes some, after a crash too

# What has to happen, and within how many seconds after it the strike falls.
MOMENTS: dict[str, float] = {
    "submit": 0.03,
    "begin": 0.3,
    "train": 1.5,
    "checkpoint": 0.02,
    "publish": 0.03,
    "any": 1.5,
}


def wait_for(moment: str, site: Site, dice: random.Random) -> str:
    """Returns at such a moment; its name, or "late" when nothing of the kind has happened."""
    if moment not in ("any", "submit"):
        deadline = time.monotonic() + TRAINERS_WITHIN
        while not site.trainers() and time.monotonic() < deadline:
            time.sleep(0.05)
    begun = BEGINNINGS[moment](site)
    deadline = time.monotonic() + PATIENCE
    while not (reached := begun()) and time.monotonic() < deadline:
        time.sleep(LOOK)
    time.sleep(dice.uniform(0, MOMENTS[moment]))
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
    """In a folder of `root`: such files live only for milliseconds, so everything there is looked at each time."""
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
