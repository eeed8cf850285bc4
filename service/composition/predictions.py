"""The endpoint of predictions: its models in memory, its place in the HTTP server, and its metrics."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import NamedTuple

from starlette.types import ASGIApp

from model_store.errors import StoreError
from service.addresses import parse_networks, parse_origins
from service.api import problems
from service.api.dependencies import Services
from service.api.dialects.registry import target_of
from service.api.holder import Holder
from service.api.middleware.authorize import Authorize
from service.api.middleware.cross_origin import CrossOrigin
from service.api.middleware.instrument import InstrumentedPredictions, answered_before, refused_connection
from service.api.middleware.proxies import Proxies
from service.api.middleware.root_path import RootPath
from service.api.middleware.scopes import RequiredScopes
from service.api.predictions.endpoint import PredictionEndpoint
from service.api.predictions.fast_path import FastPath
from service.api.predictions.router import Endpoint, PredictionRouter
from service.background.training_service import BETWEEN_ROUNDS
from service.http_server.connection import Connection
from service.http_server.idle_connection import IdleConnection
from service.model_reference import ModelReference
from service.serving.micro_batches import MicroBatches
from service.serving.predictor import Predictor
from service.serving.served_version import ServedVersion
from service.settings import Settings
from service.startup import Startup
from service.telemetry.gauges import Gauges
from service.telemetry.metrics import Metrics
from service.telemetry.predictions import PredictionFigures
from service.use_cases.predict import choose, load, served
from service.use_cases.prediction_log import PredictionLog
from service.use_cases.version_resolver import ROUND

PER_PLACE = 8  # requests that may wait for the store, a model or a large body, for each place before a forward pass


class OpenPredictions(NamedTuple):
    """What answers predictions while the application runs."""

    endpoint: Endpoint
    predictor: Predictor | None  # for the fast path, where that is not instrumented away
    log: PredictionLog


class Entry(NamedTuple):
    """The ASGI application in front of the framework, and what makes the protocol of a new connection."""

    app: ASGIApp
    connection: Callable[..., IdleConnection]


def entry(
    startup: Startup,
    metrics: Metrics,
    scopes: RequiredScopes,
    predictions: Holder[OpenPredictions],
    framework: ASGIApp,
) -> Entry:
    """What a request passes before the framework: authorization, then the router of predictions; or the fast path."""
    settings = startup.settings
    cross_origin = CrossOrigin(parse_origins(settings.allowed_origins) if settings.allowed_origins else ())
    proxies = Proxies(parse_networks(settings.forwarded_allow) if settings.forwarded_allow else ())
    router = PredictionRouter(
        framework,
        partial(target_of, default_model=default_model(settings)),
        lambda: predictions.get().endpoint,
    )
    app = Authorize(
        router,
        startup.keyring,
        startup.audit,
        needed=scopes.needed,
        answered=partial(answered_before, metrics.requests),
        any_host=settings.insecure,
        cross_origin=cross_origin,
        proxies=proxies,
    )
    root = None if settings.root_path is None else RootPath(app, settings.root_path)
    connection = partial(
        Connection,
        answer_to=problems.answer_without_request,
        refused=partial(refused_connection, metrics.requests),
        fast_path=FastPath(
            router.find if root is None else lambda path: router.find(root.inner(path)),
            app.check,
            lambda: predictions.get().predictor,
            metrics.predictions,
            cross_origin.lines,
            proxies.client,
            None if settings.prediction_log is None else lambda request_id: predictions.get().log.begin(request_id),
        ),
    )
    return Entry(app if root is None else root, partial(IdleConnection, begin=connection))


@contextmanager
def open_predictions(settings: Settings, services: Services) -> Iterator[OpenPredictions]:
    """The predictor and its endpoint, with micro-batches, threads and metrics."""
    figures, traces = services.metrics.predictions, services.traces
    observe = partial(_observe, figures)
    batches = MicroBatches(
        light=settings.light_predictions,
        threads=settings.prediction_threads,
        places=settings.waiting_predictions,
        observe=observe,
        count=services.row_counter.add,
    )
    services.metrics.add(_gauges(services, batches))
    if services.prediction_log.share is not None:
        services.metrics.add(_log_gauges(services.prediction_log))
    most_waiting = PER_PLACE * settings.waiting_predictions
    load_version = partial(load, services.store, services.warm, services.signatures)
    predictor = Predictor(
        services.current, load_version, services.warm, batches, observe, most_waiting, services.row_counter.add
    )
    # The counter is closed after the predictor: it writes the last counts.
    with services.row_counter.at_work(), closing(predictor):
        kept = services.prediction_log
        endpoint = PredictionEndpoint(predictor, figures, services.bodies, kept.begin if kept.share else None)
        log_all = settings.access_log == "all"
        # Not instrumented unless the settings ask for it: that takes time of each prediction.
        if traces is None and not log_all:
            yield OpenPredictions(endpoint, predictor, kept)
        else:
            yield OpenPredictions(InstrumentedPredictions(endpoint, traces, log_all=log_all), None, kept)


def _observe(figures: PredictionFigures, version: ServedVersion, stage: str, value: float, times: int) -> None:
    figures.observe(version.name, version.number, stage, value, times)


def default_model(settings: Settings) -> ModelReference | None:
    """The model that the settings name, if they name one."""
    return None if settings.default_model is None else ModelReference.parse(settings.default_model)


async def follow_store(services: Services) -> None:
    """Follows what other processes change about the versions in use, and loads the default model, until cancelled."""
    store, current, default = services.store, services.current, services.default_model

    def load_default() -> None:
        current.round()
        if default is not None and current.last_known(default) is None:
            with contextlib.suppress(StoreError):  # it is not there yet, or cannot be read
                load(store, services.warm, services.signatures, served(choose(store, *default)))
                current.look_up(default)

    while True:
        await asyncio.to_thread(load_default)
        await asyncio.sleep(ROUND)


async def forget_deleted(services: Services) -> None:
    """Drops the models and metrics of versions that other processes have deleted, at intervals, until cancelled."""

    def gone(name: str, number: int) -> bool:
        return not services.store.models.has(name, number)

    while True:
        for each in (services.warm, services.metrics.predictions, services.prediction_log):
            with contextlib.suppress(StoreError):
                await asyncio.to_thread(each.forget, gone)
        await asyncio.sleep(BETWEEN_ROUNDS)


def _gauges(services: Services, batches: MicroBatches) -> Gauges:
    warm, bodies, counter = services.warm, services.bodies, services.row_counter
    uncounted = "Rows that were not counted for drift: of large requests, or faster than they could be counted."
    return Gauges(
        [
            ("modelwright_warm_models", "Models in memory.", lambda: len(warm)),
            ("modelwright_warm_model_bytes", "Bytes of the models in memory.", lambda: warm.bytes),
            ("modelwright_warm_model_hits_total", "Predictions that found their model in memory.", lambda: warm.hits),
            ("modelwright_warm_model_loads_total", "Models that were loaded into memory.", lambda: warm.loads),
            ("modelwright_request_memory_bytes", "Bytes of the bodies that are read.", lambda: bodies.taken),
            ("modelwright_drift_rows_total", "Rows that were counted for drift.", lambda: counter.counted),
            ("modelwright_drift_rows_dropped_total", uncounted, lambda: counter.dropped),
            ("modelwright_predictions_waiting", "Predictions that wait for a thread.", lambda: batches.waiting),
        ]
    )


def _log_gauges(kept: PredictionLog) -> Gauges:
    about = "Rows of predictions that were written to their log."
    dropped = "Rows that were not, because their queue was full or they could not be written."
    return Gauges(
        [
            ("modelwright_logged_rows_total", about, lambda: kept.kept),
            ("modelwright_logged_rows_dropped_total", dropped, lambda: kept.dropped),
        ]
    )
