"""The composition root: chooses the parts, joins them, and serves."""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import entry_points
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
import uvicorn
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi_offline import FastAPIOffline
from sqlalchemy import Engine

from model_store import Store
from model_store.errors import StoreError
from service import __version__
from service.api import documents, problems
from service.api.dialects import spoken
from service.api.front import Front
from service.api.head import AnswerHead
from service.api.parts import Parts
from service.api.predictions import Predictions, measure
from service.api.routes import aliases, bundles, datasets, health, metrics, models, predictions, training_jobs
from service.jobs.bell import Bell
from service.jobs.database import open_database
from service.jobs.destinations import Destinations
from service.jobs.dispatch import Dispatch
from service.jobs.housekeeping import Housekeeping
from service.jobs.job import Job
from service.jobs.journal import Journal
from service.jobs.limits import AttemptLimits, memory_there_is
from service.jobs.ownership import Ownership
from service.jobs.runner import Runner
from service.jobs.signing import Signer
from service.serving.batches import Batches
from service.serving.warm_models import WarmModels
from service.settings import Settings
from service.telemetry.predictions import PredictionFigures
from service.use_cases.current_versions import ROUND, CurrentVersions, Key
from service.use_cases.draw_plot import Plots
from service.use_cases.predict import choose
from service.use_cases.predict import warm as load
from service.use_cases.submit_training import Limits, plan
from service.workflow.models import install as install_models
from service.workflow.spec import EXAMPLE, parse

if TYPE_CHECKING:
    from service.jobs.webhooks import Webhooks

BETWEEN_ROUNDS = 600.0  # seconds between two rounds of housekeeping
LEFT_FOR = 86_400.0  # seconds after which a temporary file belongs to nobody
DESCRIPTION = "POST a config, get a model."
TRAINING_ENTRY = "service.use_cases.train:train"
TRAINING_NEEDS = ["torchmetrics.functional.classification", "torchmetrics.functional.regression", "torch._dynamo"]
log = logging.getLogger(__name__)

ROUTERS = (health, training_jobs, datasets, models, aliases, bundles, predictions, metrics, *spoken.ROUTERS)


def create_app(settings: Settings, engine: Engine | None = None) -> FastAPI:
    """The application. Its parts come to life with its lifespan.

    Args:
        settings: what it shall be like.
        engine: its journal's database, where that has been opened already; closed at the end.

    Raises:
        WebhooksMisconfigured: their settings are not right.
    """
    destinations = Destinations.parse(settings.webhook_hosts or "")
    signer = Signer(settings.webhook_secret) if destinations.allowed else None
    kinds = [each.value for each in entry_points(group="modelwright.models")]
    install_models(kinds)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        torch.set_num_threads(1)  # many small forwards: a pool of threads would only wait for itself
        home = settings.home.resolve()
        home.mkdir(parents=True, exist_ok=True)
        store, bell, ownership = Store.open(home / "store"), Bell(), Ownership(home / "owners")
        opened = engine or open_journal(settings)
        warm = WarmModels(settings.warm_model_bytes)
        current = CurrentVersions(store, warm)
        webhooks = _webhooks(opened, signer, destinations, current) if signer is not None else None

        def changed(job_id: str) -> None:
            bell.ring(job_id)
            if webhooks is not None:
                webhooks.wake()

        journal, dispatch = Journal(opened, changed=changed), Dispatch(opened, changed=changed)
        runner = _runner(settings, home, dispatch, ownership, kinds)
        limits = Limits(settings.max_parameters, _memory_limit(settings), destinations)
        app.state.parts = Parts(
            store=store,
            journal=journal,
            bell=bell,
            runner=runner,
            warm=warm,
            current=current,
            temporary=home / "tmp",
            plots=Plots(home / "cache" / "plots", home / "tmp"),
            max_upload_bytes=settings.max_upload_bytes,
            limits=limits,
        )
        answering = _predictions(settings, store, warm, current, app)
        runner.start()
        if webhooks is not None:
            webhooks.start()
        warming = asyncio.create_task(asyncio.to_thread(_warm_up, store, limits))
        tidying = asyncio.create_task(_tidy(settings, home, store, Housekeeping(opened)))
        following = asyncio.create_task(_follow(store, warm, current, app.state.default_model))
        try:
            yield
            tidying.cancel()
            following.cancel()
            await warming
        finally:
            answering.close()
            runner.stop()
            if webhooks is not None:
                webhooks.stop()
            ownership.close()
            opened.dispose()

    app = FastAPIOffline(
        title="Modelwright",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        redoc_url=None,
        redirect_slashes=False,  # the redirect would believe the Host header
    )
    app.add_middleware(AnswerHead)
    problems.install(app)
    spoken.install(app)
    app.state.default_model = _reference(settings.default_model)
    for each in ROUTERS:
        app.include_router(each.router)
    framework = app.build_middleware_stack
    # Before its middleware and router, which take several times as long as a prediction does.
    app.build_middleware_stack = lambda: Front(framework(), app.state)  # type: ignore[method-assign]
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign] # FastAPI's own way to extend it
    return app


def open_journal(settings: Settings) -> Engine:
    """The journal's database: the one of the settings, or the SQLite file in the home.

    Raises:
        JournalNotOpened: it is not to be had.
    """
    if settings.database_url is not None:
        return open_database(settings.database_url.get_secret_value())
    home = settings.home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    return open_database(f"sqlite:///{home / 'journal.sqlite'}")


def serve(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT.

    Raises:
        JournalNotOpened: its database is not to be had; nothing was started.
        WebhooksMisconfigured: their settings are not right; nothing was started.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    engine = open_journal(settings)  # before uvicorn, which would wrap what goes wrong in a traceback
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: None)  # uvicorn stops at them, then sends them again: the exit status stays 0
    for secret in ("MODELWRIGHT_WEBHOOK_SECRET", "MODELWRIGHT_DATABASE_URL"):
        os.environ.pop(secret, None)  # nobody is to inherit them
    # What trainings report is written down by another thread; predictions shall not wait 5 ms until it lets the interpreter go.
    sys.setswitchinterval(0.0002)
    # A stream that cannot go on is broken off on purpose, and uvicorn takes that for a mistake.
    logging.getLogger("uvicorn.error").addFilter(lambda said: "without completing response" not in said.getMessage())
    app = create_app(settings, engine)
    config = uvicorn.Config(
        Front(app, app.state),  # before FastAPI's own entry, too, which looks at the environment for each request
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=20,
    )
    server = _Server(config, app)
    server.run()
    if not server.started:
        sys.exit(1)


class _Server(uvicorn.Server):
    """As soon as it is asked to stop, lets those go who wait for a job, and has the trainings save where they stand: it
    would otherwise wait for them, and they for it."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if hasattr(self._app.state, "parts"):
            self._app.state.parts.bell.close()
            self._app.state.parts.runner.drain()


def _predictions(
    settings: Settings, store: Store, warm: WarmModels, current: CurrentVersions, app: FastAPI
) -> Predictions:
    def gauges() -> list[tuple[str, str, float]]:
        return [
            ("modelwright_warm_models", "Models in memory.", len(warm)),
            ("modelwright_warm_model_bytes", "Bytes of the models in memory.", warm.bytes),
            ("modelwright_warm_model_hits_total", "Predictions that found their model in memory.", warm.hits),
            ("modelwright_warm_model_loads_total", "Models that were loaded into memory.", warm.loads),
            ("modelwright_predictions_waiting", "Predictions that wait for a thread.", batches.waiting),
        ]

    figures = app.state.figures = PredictionFigures(gauges)
    batches = Batches(
        light=settings.light_predictions,
        threads=settings.prediction_threads,
        most_waiting=settings.waiting_predictions,
        measure=measure(figures),
    )
    made = app.state.predictions = Predictions(store, warm, current, batches, figures, settings.waiting_predictions)
    return made


async def _follow(store: Store, models: WarmModels, current: CurrentVersions, default: Key | None) -> None:
    """Looks again and again for what other processes have changed, and for the default model until it is in memory."""

    def look() -> None:
        current.round()
        if default is not None and current.last_known(default) is None:
            with contextlib.suppress(StoreError):  # it is not there yet, or cannot be read
                load(store, models, choose(store, *default))
                current.look(default)

    while True:
        await asyncio.to_thread(look)
        await asyncio.sleep(ROUND)


async def _tidy(settings: Settings, home: Path, store: Store, housekeeping: Housekeeping) -> None:
    """Keeps house, now and again."""

    def once() -> None:
        housekeeping.forget_old(settings.keep_events_days)
        housekeeping.sweep(home / "tmp" / "attempts", home / "checkpoints")
        _sweep(store, home / "tmp")

    while True:
        try:
            await asyncio.to_thread(once)
        except Exception:
            log.exception("the housekeeping met an error; the next round is in %.0f s", BETWEEN_ROUNDS)
        await asyncio.sleep(BETWEEN_ROUNDS)


def _sweep(store: Store, temporary: Path) -> None:
    """Removes what processes that were killed have left lying: unfinished publishes, uploads and drawings, a day old."""
    store.sweep(LEFT_FOR)
    for path in temporary.glob(f"{tempfile.template}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > LEFT_FOR:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _reference(model: str | None) -> Key | None:
    """A model by its name, or by its name and a version: `houses`, `houses@3`, `houses@production`."""
    if model is None:
        return None
    name, _, reference = model.partition("@")
    return name, reference or None


def _memory_limit(settings: Settings) -> int:
    """Bytes that one training may take: four fifths of the machine's if nobody has said."""
    return settings.max_memory_bytes or memory_there_is() * 4 // 5


def _warm_up(store: Store, limits: Limits) -> None:
    """Plans a training once, so that what torch loads on first use is loaded before the first client waits for it."""
    plan(store, parse(EXAMPLE), limits)


def _runner(settings: Settings, home: Path, dispatch: Dispatch, ownership: Ownership, kinds: list[str]) -> Runner:
    return Runner(
        dispatch,
        ownership,
        entry=TRAINING_ENTRY,
        preload=TRAINING_NEEDS,
        temporary=home / "tmp",
        checkpoints=home / "checkpoints",
        slots=settings.slots,
        limits=AttemptLimits(_memory_limit(settings), settings.max_training_seconds),
        surroundings={
            "store": str(home / "store"),
            "threads": settings.threads or max(1, ((os.cpu_count() or 2) - 1) // settings.slots),
            "kinds": kinds,
            "checkpoint_seconds": settings.checkpoint_seconds,
        },
    )


def _webhooks(engine: Engine, signer: Signer, destinations: Destinations, current: CurrentVersions) -> "Webhooks":
    from service.jobs.outbox import Outbox
    from service.jobs.webhooks import Webhooks  # brings httpx, which nothing else here needs

    def document(job: Job) -> dict[str, Any]:
        return training_jobs.document(training_jobs.followed(current, job))

    return Webhooks(Outbox(engine), signer, destinations, document)


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schema.setdefault("components", {}).setdefault("schemas", {}).update(documents.schemas())
        app.openapi_schema = schema
    return app.openapi_schema
