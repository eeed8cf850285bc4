"""Draw a plot of a sweep. It is not kept: the sweep goes on, and its plots change."""

import asyncio
import tempfile
from pathlib import Path

import orjson

from service.jobs.sweep import Sweep
from service.use_cases.artifacts import MOST_AT_ONCE, MOST_WAITING, TooManyArtifacts, make_in_child
from service.use_cases.draw_plot import MOST_SECONDS, DrawingFailed
from service.workflow.errors import NotAvailable
from service.workflow.search.objective import minimized
from service.workflow.spec_base import nearest

SWEEP_PLOTS = ("history", "parallel_coordinates", "importance")


class SweepPlots:
    """Draws plots of sweeps, a few at a time. It belongs to one event loop.

    Args:
        temporary: a folder for temporary files.
    """

    def __init__(self, temporary: Path) -> None:
        self._temporary = temporary
        self._seats = asyncio.Semaphore(MOST_AT_ONCE)
        self._waiting = 0

    async def draw(self, sweep: Sweep, plot: str, form: str) -> bytes:
        """The plot as `png`, `svg` or `json` (the chart's Vega-Lite spec).

        Raises:
            NotAvailable: there is no such plot, or the sweep has too few trials for it.
            DrawingFailed: it could not be drawn.
            TooManyArtifacts: too many others are in progress.
        """
        if plot not in SWEEP_PLOTS:
            raise NotAvailable(f"there is no such plot; {nearest(plot, SWEEP_PLOTS)}")
        if self._waiting >= MOST_WAITING:
            raise TooManyArtifacts(TooManyArtifacts.__doc__)
        self._waiting += 1
        try:
            async with self._seats:
                return await self._drawn(_request(sweep, plot), form)
        finally:
            self._waiting -= 1

    async def _drawn(self, request: bytes, form: str) -> bytes:
        with tempfile.TemporaryDirectory(dir=self._temporary) as folder:
            made = Path(folder) / f"artifact.{form}"
            await make_in_child(
                "service.workflow.look.render", request, Path(folder), most_seconds=MOST_SECONDS, error=DrawingFailed
            )
            return await asyncio.to_thread(made.read_bytes)


def _request(sweep: Sweep, plot: str) -> bytes:
    trials = [
        {"number": each.number, "values": each.settings, "objective": each.objective}
        for each in sweep.trials
        if each.objective is not None
    ]
    about = {
        "objective": sweep.settings.get("objective", ""),
        "minimized": minimized(sweep.settings.get("objective", "")),
        "search": sweep.settings.get("search", {}),
        "trials": trials,
    }
    return orjson.dumps({"plot": plot, "sweep": about})
