"""The composition root: chooses the parts, joins them, and serves."""

import asyncio
import contextlib
import gc
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine
from starlette.types import ASGIApp

from model_store import Store
from model_store.errors import StoreError
from service import __version__
from service.access.audit import Audit
from service.api import problems
from service.api.dependencies import Parts
from service.api.dialects import registry as spoken
from service.api.head import AnswerHead
from service.api.middleware import access_log
from service.api.middleware.authorize import Edge
from service.api.middleware.instrument import Watched, WatchedPredictions, refused, turned_away
from service.api.openapi import describe
from service.api.pools import Pools
from service.api.predictions.endpoint import Predictions, measure
from service.api.predictions.router import Front
from service.api.routes import (
    aliases,
    audit,
    bundles,
    datasets,
    health,
    keys,
    metrics,
    models,
    predictions,
    training_jobs,
)
from service.api.schemas.job import document
from service.background.channel import Wire
from service.background.trainings import (
    BETWEEN_ROUNDS,
    Trainings,
    memory_limit,
    open_journal,
    plug_in_kinds,
    webhook_settings,
)
from service.http_server.idle_connection import IdleConnection
from service.http_server.sockets import open_listeners
from service.jobs.feed import Feed
from service.jobs.job import Job
from service.jobs.journal import Journal
from service.keys import open_keys
from service.server import Protocol, Server
from service.serving.batches import Batches
from service.serving.memory_budget import MemoryBudget
from service.serving.warm_models import WarmModels
from service.settings import Settings, forget_secrets
from service.telemetry import logs
from service.telemetry.exposition import families, text
from service.telemetry.gauges import Gauges, Surroundings
from service.telemetry.jobs import JournalFigures
from service.telemetry.metrics import Metrics
from service.telemetry.open_traces import open_traces
from service.telemetry.predictions import PredictionFigures
from service.telemetry.watchers import Watchers
from service.use_cases.artifacts import Artifacts
from service.use_cases.current_versions import ROUND, CurrentVersions, Key
from service.use_cases.predict import choose
from service.use_cases.predict import warm as load
from service.use_cases.submit_training import Limits, plan
from service.use_cases.upload_dataset import Surveys
from service.workflow.models import install as install_models
from service.workflow.spec import EXAMPLE, parse

DESCRIPTION = "POST a config, get a model."
APART = 8  # requests that wait for something else than a forward, for each place before one
MOST_SECONDS_FOR_FIGURES = 5.0  # of all processes; the supervisor waits for none longer than one

ROUTERS = (
    health,
    training_jobs,
    datasets,
    models,
    aliases,
    bundles,
    predictions,
    metrics,
    keys,
    audit,
    *spoken.ROUTERS,
)


def create_app(settings: Settings, engine: Engine | None = None, wire: Wire | None = None) -> FastAPI:
    """The application. Its parts come to life with its lifespan.

    Args:
        settings: what it shall be like.
        engine: its journal's database, where that has been opened already; closed at the end.
        wire: to the other processes of the service, if there are any; one of them runs the trainings, else this one does.

    Raises:
        WebhooksMisconfigured: their settings are not right.
        AccessError: its keys are not right, or there are none where there must be.
    """
    keyring, audit_log = open_keys(settings), Audit(settings.home.resolve() / "audit")
    webhook_settings(settings)
    install_models(plug_in_kinds())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with _alive(app, settings, engine or open_journal(settings), wire):
            yield

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
    app.build_middleware_stack = lambda: entry(app, Watched(framework(), app.state))  # type: ignore[method-assign]
    app.openapi = lambda: describe(app, keys_on=keyring.on)  # type: ignore[method-assign] # FastAPI's own way to extend it
    app.state.keyring, app.state.audit, app.state.insecure = keyring, audit_log, settings.insecure
    return app


def entry(app: FastAPI, inner: ASGIApp) -> Edge:
    """What stands before all of the app, or before a part of it: who may ask, then predictions."""
    state = app.state
    front = Front(inner, state)
    told = partial(refused, state)
    return Edge(
        front,
        state.keyring,
        state.audit,
        asked=front.asked_before,
        short=front.short,
        told=told,
        any_host=state.insecure,
    )


def serve(settings: Settings, listeners: list[socket.socket] | None = None, wire: Wire | None = None) -> None:
    """Serves until SIGTERM or SIGINT.

    Args:
        settings: what it shall be like.
        listeners: the sockets to serve on, where the supervisor has opened them.
        wire: to the supervisor and the other processes.

    Raises:
        JournalNotOpened: its database is not to be had; nothing was started.
        WebhooksMisconfigured: their settings are not right; nothing was started.
        OSError: it cannot listen there; nothing was started.
        AccessError: keys are missing or not right; nothing was started.
    """
    logs.configure(settings.log_level)
    access_log.log.disabled = settings.access_log == "none"
    engine = open_journal(settings)  # before uvicorn, which would wrap what goes wrong in a traceback
    forget_secrets()
    app = create_app(settings, engine, wire)
    first = entry(app, app)  # before FastAPI's own entry, too, which looks at the environment for each request
    begin = partial(
        Protocol,
        asked=first.asked,
        answer=first.short,
        answer_to=problems.answer_without_request,
        refused=partial(turned_away, app.state),
    )
    server = Server(
        first,
        http=partial(IdleConnection, begin=begin),
        delay=settings.stop_delay_seconds,
        stopping=lambda: app.state.stopping() if hasattr(app.state, "stopping") else None,
        alone=wire is None,
    )
    if wire is not None:
        wire.heed["stop"] = lambda _: server.announce()
    server.serve_on(listeners or open_listeners(settings.host, settings.port))
    if not server.started:
        sys.exit(1)


@asynccontextmanager
async def _alive(app: FastAPI, settings: Settings, engine: Engine, wire: Wire | None) -> AsyncIterator[None]:
    """The parts, joined and at work."""
    torch.set_num_threads(1)  # many small forwards: a pool of threads would only wait for itself
    home = settings.home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    store = Store.open(home / "store")
    warm = WarmModels(settings.warm_model_bytes)
    current = CurrentVersions(store, warm)
    measured = app.state.metrics = Metrics()
    app.state.traces = open_traces(Journal(engine).attempts)
    watchers = Watchers(measured.jobs, app.state.traces)
    feed = Feed(Journal(engine), partial(training_jobs.followed, current), training_jobs.written)
    trainings = None if wire is not None else _trainings(settings, engine, store, watchers, feed, current)

    def changed(job_id: str) -> None:
        feed.ring(job_id)
        if trainings is not None:
            trainings.changed()
        if wire is not None:
            wire.say("job", job_id)

    def stopping() -> None:  # lets those go who wait for a job: the server would wait for them, and they for it
        feed.close()
        if trainings is not None:
            trainings.drain()

    limits = Limits(
        settings.max_parameters, memory_limit(settings), settings.max_model_bytes, webhook_settings(settings)[0]
    )
    app.state.pools = Pools()
    app.state.parts = Parts(
        store=store,
        journal=Journal(engine, changed=changed, moved=watchers.moved),
        feed=feed,
        wake=trainings.wake if trainings is not None else partial(cast(Wire, wire).say, "wake"),
        warm=warm,
        current=current,
        temporary=home / "tmp",
        plots=Artifacts(home / "cache" / "plots", home / "tmp"),
        exports=Artifacts(home / "cache" / "exports", home / "tmp"),
        surveys=Surveys(),
        max_upload_bytes=settings.max_upload_bytes,
        limits=limits,
        keyring=app.state.keyring,
        audit=app.state.audit,
        bodies=MemoryBudget(settings.request_memory_bytes),
    )
    app.state.keyring.follow()
    app.state.stopping = stopping
    answering = _predictions(app, settings, store, warm, current)
    app.state.exposition = _exposition(app, home, wire)
    warming = asyncio.create_task(asyncio.to_thread(_warm_up, store, limits))
    following = _follow(store, warm, current, app.state.default_model)
    at_work = [
        asyncio.create_task(following),
        asyncio.create_task(feed.run()),
        asyncio.create_task(_forget_deleted(store, warm, app.state.figures)),
    ]
    if trainings is not None:
        measured.add(trainings.gauges())
        trainings.start()
        at_work.append(asyncio.create_task(trainings.tidy()))
    if wire is not None:
        wire.heed["job"] = feed.ring
        wire.heed["tell"] = lambda _: wire.say("told", families(measured.registry))
        await wire.open()
    try:
        yield
        for each in at_work:
            each.cancel()
        await warming
    finally:
        answering.close()
        app.state.pools.close()
        feed.stop()
        app.state.keyring.close()
        app.state.audit.close()
        if trainings is not None:
            trainings.stop()
        watchers.close()
        if wire is not None:
            wire.close()
        engine.dispose()


def _trainings(
    settings: Settings, engine: Engine, store: Store, watchers: Watchers, feed: Feed, current: CurrentVersions
) -> Trainings:
    def shown(job: Job) -> dict[str, Any]:
        return document(training_jobs.followed(current, job))

    return Trainings(settings, engine, store, watchers, feed.ring, shown)


def _exposition(app: FastAPI, home: Path, wire: Wire | None) -> Callable[[], Awaitable[bytes]]:
    """What `/metrics` answers: what this process has counted, or what all have, and what is the same for all of them.

    That is told by whoever is asked, so that it stands there once.
    """
    own: CollectorRegistry = app.state.metrics.registry
    shared, keyring = CollectorRegistry(), app.state.keyring
    shared.register(JournalFigures(app.state.parts.journal.counts))
    about = "0 while whoever reaches the service may do everything."
    shared.register(Gauges([("modelwright_keys_required", about, lambda: keyring.on)]))
    shared.register(Surroundings(home, {"modelwright": __version__, "torch": torch.__version__}))

    async def exposition() -> bytes:
        counted = None if wire is None else await wire.figures(MOST_SECONDS_FOR_FIGURES)

        def told() -> bytes:  # in a thread: the journal and the disk may take their time
            return text([*(families(own) if counted is None else counted), *families(shared)])

        return await asyncio.to_thread(told)

    return exposition


def _predictions(
    app: FastAPI, settings: Settings, store: Store, warm: WarmModels, current: CurrentVersions
) -> Predictions:
    def gauges() -> list[tuple[str, str, float]]:
        return [
            ("modelwright_warm_models", "Models in memory.", len(warm)),
            ("modelwright_warm_model_bytes", "Bytes of the models in memory.", warm.bytes),
            ("modelwright_warm_model_hits_total", "Predictions that found their model in memory.", warm.hits),
            ("modelwright_warm_model_loads_total", "Models that were loaded into memory.", warm.loads),
            ("modelwright_request_memory_bytes", "Bytes of the bodies that are read.", app.state.parts.bodies.taken),
            ("modelwright_predictions_waiting", "Predictions that wait for a thread.", batches.waiting),
        ]

    figures = app.state.figures = PredictionFigures(gauges)
    app.state.metrics.add(figures)
    batches = Batches(
        light=settings.light_predictions,
        threads=settings.prediction_threads,
        places=settings.waiting_predictions,
        measure=measure(figures),
    )
    bodies = app.state.parts.bodies
    made = Predictions(store, warm, current, batches, figures, APART * settings.waiting_predictions, bodies)
    traces, log_all = app.state.traces, settings.access_log == "all"
    # Nothing is around them that nobody has asked for.
    app.state.predictions = WatchedPredictions(made, traces, log_all=log_all) if traces is not None or log_all else made
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


async def _forget_deleted(store: Store, models: WarmModels, figures: PredictionFigures) -> None:
    """Now and again, what is in memory of versions that other processes have deleted, and their figures."""

    def gone(name: str, number: int) -> bool:
        return not store.models.has(name, number)

    while True:
        for each in (models, figures):
            with contextlib.suppress(StoreError):
                await asyncio.to_thread(each.forget, gone)
        await asyncio.sleep(BETWEEN_ROUNDS)


def _reference(model: str | None) -> Key | None:
    """A model by its name, or by its name and a version: `houses`, `houses@3`, `houses@production`."""
    if model is None:
        return None
    name, _, reference = model.partition("@")
    return name, reference or None


def _warm_up(store: Store, limits: Limits) -> None:
    """Plans a training once, so that what torch loads on first use is loaded before the first client waits for it."""
    plan(store, parse(EXAMPLE), limits)
    # All that is there now stays for ever. A full collection that walks through it stops every prediction for 0.3 s.
    gc.collect()
    gc.freeze()
