"""Draw a plot of a version in all its forms at once, or all plots in one form."""

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from model_store import Store, Version
from service.use_cases.artifacts import Artifact, ArtifactFailed, Artifacts, make_in_child
from service.use_cases.attempt_store import HISTORY
from service.use_cases.train import POINTS
from service.workflow.errors import NotAvailable
from service.workflow.look.available import PLOTS, without
from service.workflow.spec_base import nearest
from service.workflow.tasks import Task

FORMS = (".png", ".svg", ".json")
MOST_SECONDS = 60


class DrawingFailed(ArtifactFailed):
    """The plot could not be drawn."""


def plots_of(manifest: Mapping[str, Any]) -> list[str]:
    """The names of the plots that a version has. A version from before they were recorded has no curves, no filters, no
    importance and no calibration."""
    if manifest.get("plots") is not None:
        return [name for name in PLOTS if name in manifest["plots"]]
    missing = {"roc", "precision_recall", "filters", "importance", "calibration"}
    missing |= set() if manifest.get("confusion") else {"confusion"}
    missing |= set() if manifest["signature"]["task"] == Task.REGRESSION else {"residuals"}
    missing |= set() if manifest.get("parameters", 1) else {"parameters"}
    return without(missing)


async def draw(plots: Artifacts, store: Store, version: Version, plot: str, form: str) -> bytes:
    """The plot as `png`, `svg` or `json` (the chart's Vega-Lite spec).

    Raises:
        NotAvailable: this model has no such plot.
        ArtifactFailed: it could not be drawn.
        TooManyArtifacts: too many others are in progress.
    """
    if plot not in PLOTS:
        raise NotAvailable(f"there is no such plot; {nearest(plot, PLOTS)}")
    return await _drawn(plots, store, Artifact(version, plot, FORMS), f".{form}", {"plot": plot})


async def draw_all(plots: Artifacts, store: Store, version: Version) -> dict[str, bytes]:
    """The plots that this model has, by name, as PNG. One process draws them all, which starts more slowly than it draws.

    Raises:
        ArtifactFailed: they could not be drawn.
        TooManyArtifacts: too many others are in progress.
    """
    forms = {plot: f".{plot}.png" for plot in PLOTS}
    artifact = Artifact(version, "plots", tuple(forms.values()))
    drawn = {plot: await _drawn(plots, store, artifact, form, {}) for plot, form in forms.items()}
    return {plot: image for plot, image in drawn.items() if image}


async def _drawn(plots: Artifacts, store: Store, artifact: Artifact, suffix: str, which: dict[str, str]) -> bytes:
    path = await plots.get(store, artifact, suffix, partial(_draw, store, artifact.version, which))
    try:
        return await asyncio.to_thread(path.read_bytes)
    except OSError as error:
        raise DrawingFailed("the plot was drawn, and evicted before it could be read") from error


async def _draw(store: Store, version: Version, which: dict[str, str], folder: Path) -> None:
    await _render(await asyncio.to_thread(_request, store, version, which), folder)


def _request(store: Store, version: Version, which: dict[str, str]) -> bytes:
    with store.models.local_file(version, POINTS) as points, store.models.local_file(version, HISTORY) as history:
        return orjson.dumps(
            {
                **which,
                "signature": version.manifest["signature"],
                "points": orjson.loads(points.read_bytes()),
                "history": orjson.loads(history.read_bytes()),
                "confusion": version.manifest.get("confusion", {}),
                "importance": version.manifest.get("importance"),
                "rows": {part: about["rows"] for part, about in version.manifest.get("split", {}).items()},
            }
        )


async def _render(request: bytes, folder: Path) -> None:
    await make_in_child("service.workflow.look.render", request, folder, most_seconds=MOST_SECONDS, error=DrawingFailed)
