"""The services of an application, opened in the order in which they need each other, and closed in the reverse order."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing

import torch
from sqlalchemy import Engine

from model_store import Store
from service.access.audit import Audit
from service.api.dependencies import Services
from service.api.holder import Holder
from service.api.pools import Pools
from service.background.channel import Wire
from service.background.trainings import memory_limit
from service.composition.jobs import Jobs
from service.composition.metrics import exposition
from service.composition.predictions import (
    PredictionEndpoint,
    default_model,
    follow_store,
    forget_deleted,
    open_predictions,
)
from service.opening import store_url
from service.serving.memory_budget import MemoryBudget
from service.serving.warm_models import WarmModels
from service.startup import Startup
from service.telemetry.metrics import Metrics
from service.use_cases.artifacts import Artifacts
from service.use_cases.current_versions import CurrentVersions
from service.use_cases.submit_training import Limits, plan
from service.use_cases.upload_dataset import Surveys
from service.workflow.spec import EXAMPLE, parse


@asynccontextmanager
async def open_services(
    startup: Startup,
    audit: Audit,
    metrics: Metrics,
    predictions: Holder[PredictionEndpoint],
    engine: Engine,
    wire: Wire | None,
) -> AsyncIterator[Services]:
    """The services, at work inside the `async with` block.

    Args:
        startup: the settings, and what was opened according to them.
        audit: the audit log; closed at the end, as the keyring is.
        metrics: the metrics of this process.
        predictions: holds the endpoint of predictions meanwhile.
        engine: the journal's database; closed at the end.
        wire: to the supervisor, if there is one; then another process runs the trainings, else this one does.
    """
    torch.set_num_threads(1)  # many small forward passes: several threads would only wait for each other
    settings = startup.settings
    async with AsyncExitStack() as stack:
        stack.callback(engine.dispose)
        store, warm = Store.open(store_url(settings)), WarmModels(settings.warm_model_bytes)
        current = CurrentVersions(store, warm)
        jobs = Jobs(startup, audit, metrics, engine, store, current, wire)
        services = _services(startup, audit, metrics, store, warm, current, jobs, wire)
        for each in (audit, startup.keyring, services.pools):
            stack.enter_context(closing(each))
        endpoint = stack.enter_context(open_predictions(settings, services))
        stack.enter_context(predictions.holding(endpoint))
        startup.keyring.follow()
        warming = asyncio.create_task(asyncio.to_thread(_warm_up, store, services.limits))
        stack.push_async_callback(asyncio.wait, [warming])
        stack.callback(asyncio.create_task(follow_store(services)).cancel)
        stack.callback(asyncio.create_task(forget_deleted(services)).cancel)
        await stack.enter_async_context(jobs.at_work())
        yield services


def _services(
    startup: Startup,
    audit: Audit,
    metrics: Metrics,
    store: Store,
    warm: WarmModels,
    current: CurrentVersions,
    jobs: Jobs,
    wire: Wire | None,
) -> Services:
    settings, keyring, home = startup.settings, startup.keyring, startup.settings.home.resolve()
    destinations, _ = startup.webhooks
    return Services(
        store=store,
        journal=jobs.journal,
        feed=jobs.feed,
        wake=jobs.wake,
        drain=jobs.drain,
        warm=warm,
        current=current,
        default_model=default_model(settings),
        temporary=home / "tmp",
        plots=Artifacts(home / "cache" / "plots", home / "tmp"),
        exports=Artifacts(home / "cache" / "exports", home / "tmp"),
        surveys=Surveys(),
        pools=Pools(),
        max_upload_bytes=settings.max_upload_bytes,
        limits=Limits(settings.max_parameters, memory_limit(settings), settings.max_model_bytes, destinations),
        keyring=keyring,
        audit=audit,
        bodies=MemoryBudget(settings.request_memory_bytes),
        metrics=metrics,
        traces=jobs.traces,
        exposition=exposition(metrics, jobs.journal, keyring, home, wire),
    )


def _warm_up(store: Store, limits: Limits) -> None:
    """Plans a training once, so that what torch loads on first use is loaded before the first client waits for it."""
    plan(store, parse(EXAMPLE), limits)
    # What exists now exists until the end. A full collection over it would stop every prediction for 0.3 s.
    gc.collect()
    gc.freeze()
