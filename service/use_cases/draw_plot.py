"""Draw a plot: in a short-lived process, in all its forms at once, kept by the version's digest."""

import asyncio
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import orjson

from model_store import Store, Version
from model_store.os_errors import storage_errors
from service import __version__
from service.use_cases.child_process import ChildFailed, run
from service.use_cases.train import HISTORY, POINTS
from service.workflow.errors import NotAvailable
from service.workflow.spec_base import nearest

PLOTS = ("data", "predictions", "learning_curve", "parameters", "confusion")
FORMS = ("png", "svg", "json")
DIGEST_BYTES = 32
MOST_SECONDS = 60
MOST_FILES = 300
MOST_AT_ONCE = 2
MOST_WAITING = 64
NOT_AVAILABLE = 3  # the exit status by which the drawing process says so


class DrawingFailed(Exception):
    """The plot could not be drawn."""


class TooManyDrawings(Exception):
    """Too many plots are being drawn; ask again soon."""


class Plots:
    """Drawn plots, kept in `folder`, `most_files` of them, those longest unused given up first; each is drawn once,
    however many ask for it, by `MOST_AT_ONCE` processes at a time. It belongs to one event loop."""

    def __init__(self, folder: Path, temporary: Path, most_files: int = MOST_FILES) -> None:
        self._folder = folder
        self._temporary = temporary
        self._most_files = most_files
        self._seats = asyncio.Semaphore(MOST_AT_ONCE)
        self._under_way: dict[str, asyncio.Task[None]] = {}

    async def draw(self, store: Store, version: Version, plot: str, form: str) -> bytes:
        """The plot as `png`, `svg` or `json` (the chart's Vega-Lite spec).

        Raises:
            NotAvailable: this model has no such plot.
            DrawingFailed: the drawing process failed.
            TooManyDrawings: so many others wait that this one is not taken on.
        """
        if plot not in PLOTS:
            raise NotAvailable(f"there is no such plot; {nearest(plot, PLOTS)}")
        stem = f"{version.digest}-{plot}-{__version__}"
        if (kept := await asyncio.to_thread(self._kept, stem, form)) is not None:
            return kept
        if stem not in self._under_way:
            if len(self._under_way) >= MOST_WAITING:
                raise TooManyDrawings(TooManyDrawings.__doc__)
            self._under_way[stem] = asyncio.create_task(self._draw(store, version, plot, stem))
            self._under_way[stem].add_done_callback(lambda _: self._under_way.pop(stem))
        await asyncio.shield(self._under_way[stem])  # others may wait for it, too
        drawn = await asyncio.to_thread(self._kept, stem, form)
        if not await asyncio.to_thread(store.models.has, version.name, version.number):
            self.forget([version.digest])  # it was deleted meanwhile
        if drawn is None:
            raise DrawingFailed("the plot was drawn, and given up before it could be read")
        return drawn

    def forget(self, digests: Iterable[str]) -> None:
        """Removes what was drawn of versions with these digests. From any thread."""
        gone = set(digests)
        with suppress(OSError):
            for name in os.listdir(self._folder):  # noqa: PTH208 - names alone
                if name.partition("-")[0] in gone:
                    (self._folder / name).unlink(missing_ok=True)

    def _kept(self, stem: str, form: str) -> bytes | None:
        """The plot if it is there as it was drawn: its digest stands before it. What was damaged is drawn anew."""
        path = self._folder / f"{stem}.{form}"
        try:
            os.utime(path)  # used just now
            kept = path.read_bytes()
        except IsADirectoryError:
            shutil.rmtree(path, ignore_errors=True)
            return None
        except OSError:  # it is not there, or cannot be read
            return None
        digest, drawn = kept[:DIGEST_BYTES], kept[DIGEST_BYTES:]
        return drawn if hashlib.sha256(drawn).digest() == digest else None

    async def _draw(self, store: Store, version: Version, plot: str, stem: str) -> None:
        async with self._seats:
            if await asyncio.to_thread(self._is_drawn, stem):
                return  # it became so between the look at what is kept and this task
            request = await asyncio.to_thread(_request, store, version, plot)
            with storage_errors():
                self._temporary.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryDirectory(dir=self._temporary, ignore_cleanup_errors=True) as folder:
                    await _render(request, Path(folder))
                    await asyncio.to_thread(self._keep, stem, Path(folder))

    def _is_drawn(self, stem: str) -> bool:
        return all(self._kept(stem, form) is not None for form in FORMS)

    def _keep(self, stem: str, drawn: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for form in FORMS:
            chart = drawn / f"chart.{form}"
            content = chart.read_bytes()
            chart.write_bytes(hashlib.sha256(content).digest() + content)
            chart.replace(self._folder / f"{stem}.{form}")
        files = sorted(filter(Path.is_file, self._folder.iterdir()), key=lambda path: path.stat().st_mtime)
        for path in files[: max(0, len(files) - max(self._most_files, len(FORMS)))]:
            path.unlink(missing_ok=True)


def _request(store: Store, version: Version, plot: str) -> bytes:
    return orjson.dumps(
        {
            "plot": plot,
            "signature": version.manifest["signature"],
            "points": orjson.loads(store.models.path(version, POINTS).read_bytes()),
            "history": orjson.loads(store.models.path(version, HISTORY).read_bytes()),
            "confusion": version.manifest.get("confusion", {}),
        }
    )


async def _render(request: bytes, folder: Path) -> None:
    """Has `chart.png`, `chart.svg` and `chart.json` drawn in the folder."""
    try:
        ended = await run(
            "service.workflow.look.render",
            str(folder),
            said=request,
            environment={"HOME": str(folder), "TMPDIR": str(folder)},
            most_seconds=MOST_SECONDS,
            most_bytes=0,
        )
    except TimeoutError as error:
        raise DrawingFailed("the plot took too long to draw") from error
    except ChildFailed as error:
        raise DrawingFailed(DrawingFailed.__doc__) from error
    if ended.status == NOT_AVAILABLE:
        raise NotAvailable(ended.errors.decode().strip())
    if ended.status:
        raise DrawingFailed(DrawingFailed.__doc__)
