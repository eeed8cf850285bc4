"""Draw a plot: in a short-lived process, kept by the version's digest."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import orjson

from model_store import Store, Version
from service.use_cases.train import HISTORY, POINTS
from service.workflow.errors import NotAvailable

MOST_SECONDS = 60
NOT_AVAILABLE = 3  # the exit status by which the drawing process says so


class DrawingFailed(Exception):
    """The plot could not be drawn in time."""


def draw(store: Store, cache: Path, version: Version, plot: str, form: str) -> bytes:
    """The plot as `png`, `svg` or `json` (the chart's Vega-Lite spec).

    Raises:
        NotAvailable: this model has no such plot.
        DrawingFailed: the drawing process failed.
    """
    from service import __version__

    kept = cache / f"{version.digest}-{plot}-{__version__}.{form}"
    if kept.exists():
        return kept.read_bytes()
    drawn = _draw(_request(store, version, plot, form), cache)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=cache, delete=False) as file:
        file.write(drawn)
    Path(file.name).replace(kept)
    return drawn


def _request(store: Store, version: Version, plot: str, form: str) -> dict[str, Any]:
    return {
        "plot": plot,
        "form": form,
        "signature": version.manifest["signature"],
        "points": orjson.loads(store.models.path(version, POINTS).read_bytes()),
        "history": orjson.loads(store.models.path(version, HISTORY).read_bytes()),
    }


def _draw(request: dict[str, Any], cache: Path) -> bytes:
    command = [sys.executable, "-m", "service.workflow.look.render"]
    cache.mkdir(parents=True, exist_ok=True)
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(cache),
        "TMPDIR": str(cache),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            command,
            input=orjson.dumps(request),
            capture_output=True,
            timeout=MOST_SECONDS,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DrawingFailed("the plot took too long to draw") from error
    if done.returncode == NOT_AVAILABLE:
        raise NotAvailable(done.stderr.decode().strip())
    if done.returncode:
        raise DrawingFailed("the plot could not be drawn")
    return done.stdout
