"""The services of an application, opened in the order in which they need each other, and closed in the reverse order."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from functools import partial
from pathlib import Path

import torch
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from model_store import Bundles, Catalogue, Store
from service import __version__
from service.access.keyring import Keyring
from service.api.dependencies import Services
from service.api.holder import Holder
from service.api.pools import Pools
from service.api.schemas.model import latest_row
from service.background.channel import Channel
from service.composition.jobs import Jobs
from service.composition.predictions import (
    OpenPredictions,
    default_model,
    follow_store,
    forget_deleted,
    open_predictions,
)
from service.facts import facts_of
from service.jobs.drift_counts import DriftCounts
from service.jobs.journal import Journal
from service.serving.memory_budget import MemoryBudget
from service.serving.row_counter import RowCounter
from service.serving.warm_models import WarmModels
from service.startup import Startup
from service.telemetry.exposition import families, text
from service.telemetry.gauges import Gauges, ServiceInfo
from service.telemetry.jobs import JournalFigures
from service.telemetry.metrics import Metrics
from service.use_cases.artifacts import Artifacts
from service.use_cases.dataset_cells import Cells
from service.use_cases.draw_sweep import SweepPlots
from service.use_cases.drift import keep
from service.use_cases.predict import choose, load
from service.use_cases.prediction_log import PredictionLog
from service.use_cases.submit_training import Limits, plan
from service.use_cases.upload_dataset import Surveys
from service.use_cases.uploads import Uploads
from service.use_cases.version_resolver import VersionResolver
from service.workflow.spec import EXAMPLE, parse

MOST_SECONDS_FOR_METRICS = 5.0  # of all processes; the supervisor waits for none longer than one


@asynccontextmanager
async def open_services(
    startup: Startup,
    metrics: Metrics,
    predictions: Holder[OpenPredictions],
    engine: Engine,
    store: Store,
    wire: Channel | None,
) -> AsyncIterator[Services]:
    """The services, at work inside the `async with` block.

    Args:
        startup: the settings, and what was opened according to them; closed at the end.
        metrics: the metrics of this process.
        predictions: holds what answers predictions.
        engine: the journal's database; closed at the end.
        store: of the models and data sets.
        wire: to the supervisor, if there is one; then another process runs the trainings, else this one does.
    """
    torch.set_num_threads(1)  # many small forward passes: several threads would only wait for each other
    settings = startup.settings
    async with AsyncExitStack() as stack:
        stack.callback(engine.dispose)
        warm = WarmModels(settings.warm_model_bytes)
        load_version = partial(load, store, warm, startup.signatures)
        current = VersionResolver(partial(choose, store), load_version, warm.pin)
        jobs = Jobs(startup, metrics, engine, store, current, wire)
        services = _services(startup, metrics, store, warm, current, jobs, DriftCounts(engine), wire)
        for each in (startup.audit, startup.keyring, services.prediction_log, services.pools):
            stack.enter_context(closing(each))
        predictions.value = stack.enter_context(open_predictions(settings, services))
        startup.keyring.start_reloading()
        services.prediction_log.start()
        warming = asyncio.create_task(asyncio.to_thread(_warm_up, store, services.limits))
        stack.push_async_callback(asyncio.wait, [warming])
        stack.callback(asyncio.create_task(follow_store(services)).cancel)
        stack.callback(asyncio.create_task(forget_deleted(services)).cancel)
        await stack.enter_async_context(jobs.at_work())
        yield services


def _services(
    startup: Startup,
    metrics: Metrics,
    store: Store,
    warm: WarmModels,
    current: VersionResolver,
    jobs: Jobs,
    drift_counts: DriftCounts,
    wire: Channel | None,
) -> Services:
    settings, keyring, home = startup.settings, startup.keyring, startup.home
    return Services(
        store=store,
        catalogue=Catalogue(store.models, store.aliases, latest_row),
        journal=jobs.journal,
        sweeps=jobs.sweeps,
        slots=settings.slots,
        feed=jobs.feed,
        wake=jobs.wake,
        drain=jobs.drain,
        warm=warm,
        row_counter=RowCounter(partial(keep, drift_counts)),
        drift_counts=drift_counts,
        current=current,
        default_model=default_model(settings),
        temporary=home / "tmp",
        plots=Artifacts(home / "cache" / "plots", home / "tmp"),
        sweep_plots=SweepPlots(home / "tmp"),
        exports=Artifacts(home / "cache" / "exports", home / "tmp"),
        bundles=Bundles(store.models),
        uploads=Uploads(home / "uploads", settings.max_upload_bytes),
        surveys=Surveys(),
        cells=Cells(),
        pools=Pools(),
        max_upload_bytes=settings.max_upload_bytes,
        limits=jobs.limits,
        keyring=keyring,
        audit=startup.audit,
        signatures=startup.signatures,
        bodies=MemoryBudget(settings.request_memory_bytes),
        facts=facts_of(settings),
        prediction_log=PredictionLog(
            home / "predictions",
            settings.prediction_log,
            settings.prediction_log_bytes,
            others=settings.workers > 1,
        ),
        metrics=metrics,
        traces=jobs.traces,
        exposition=_exposition(metrics, jobs.journal, keyring, home, wire),
    )


def _exposition(
    metrics: Metrics, journal: Journal, keyring: Keyring, home: Path, wire: Channel | None
) -> Callable[[], Awaitable[bytes]]:
    """A function that collects the metrics of this process, or of all processes of the service, as text.

    Metrics that all processes share are collected by the process that answers, so that they appear once. The function raises
    TimeoutError if the supervisor does not respond.
    """
    shared = CollectorRegistry()
    shared.register(JournalFigures(journal.counts))
    about = "0 while authentication is disabled."
    shared.register(Gauges([("modelwright_keys_required", about, lambda: keyring.on)]))
    shared.register(ServiceInfo(home, {"modelwright": __version__, "torch": torch.__version__}))

    async def collect() -> bytes:
        summed = None if wire is None else await wire.figures(MOST_SECONDS_FOR_METRICS)

        def as_text() -> bytes:  # in a thread: the journal and the disk may take their time
            return text([*(families(metrics.registry) if summed is None else summed), *families(shared)])

        return await asyncio.to_thread(as_text)

    return collect


def _warm_up(store: Store, limits: Limits) -> None:
    """Plans a training once, so that what torch loads on first use is loaded before the first client waits for it."""
    plan(store, parse(EXAMPLE), limits)
    # What exists now exists until the end. A full collection over it would stop every prediction for 0.3 s.
    gc.collect()
    gc.freeze()
