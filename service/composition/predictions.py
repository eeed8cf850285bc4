"""How predictions are connected: to the models in memory, to the HTTP server and to what measures them."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial

from starlette.types import ASGIApp

from model_store.errors import StoreError
from service.access.audit import Audit
from service.api import problems
from service.api.dependencies import Services
from service.api.holder import Holder
from service.api.middleware.authorize import Edge
from service.api.middleware.instrument import WatchedPredictions, refused, turned_away
from service.api.predictions.endpoint import Predictions, measure
from service.api.predictions.router import Front
from service.background.trainings import BETWEEN_ROUNDS
from service.http_server.idle_connection import IdleConnection
from service.model_reference import ModelReference
from service.server import Protocol
from service.serving.batches import Batches
from service.settings import Settings
from service.startup import Startup
from service.telemetry.gauges import Gauges
from service.telemetry.metrics import Metrics
from service.use_cases.current_versions import ROUND
from service.use_cases.predict import choose
from service.use_cases.predict import warm as load

PER_PLACE = 8  # requests that may wait for the store, a model or a large body, for each place before a forward pass

PredictionEndpoint = Predictions | WatchedPredictions


def entry(
    startup: Startup, audit: Audit, metrics: Metrics, predictions: Holder[PredictionEndpoint], app: ASGIApp
) -> Edge:
    """The ASGI application in front of `app`, or of a part of it: authorization, then predictions."""
    front = Front(app, default_model(startup.settings), predictions.get)
    return Edge(
        front,
        startup.keyring,
        audit,
        asked=front.asked_before,
        short=front.short,
        told=partial(refused, metrics.requests),
        any_host=startup.settings.insecure,
    )


def connections(first: Edge, metrics: Metrics) -> Callable[..., IdleConnection]:
    """What uvicorn calls for the protocol of a new connection; `first` also answers predictions in the connection itself."""
    begin = partial(
        Protocol,
        asked=first.asked,
        answer=first.short,
        answer_to=problems.answer_without_request,
        refused=partial(turned_away, metrics.requests),
    )
    return partial(IdleConnection, begin=begin)


@contextmanager
def open_predictions(settings: Settings, services: Services) -> Iterator[PredictionEndpoint]:
    """The endpoint of predictions, with its micro-batches, threads and metrics."""
    figures, traces = services.metrics.predictions, services.traces
    batches = Batches(
        light=settings.light_predictions,
        threads=settings.prediction_threads,
        places=settings.waiting_predictions,
        measure=measure(figures),
    )
    services.metrics.add(_gauges(services, batches))
    most_waiting = PER_PLACE * settings.waiting_predictions
    with closing(
        Predictions(services.store, services.warm, services.current, batches, figures, most_waiting, services.bodies)
    ) as predictions:
        log_all = settings.access_log == "all"
        # Not instrumented unless the settings ask for it: that takes time of each prediction.
        instrumented = traces is not None or log_all
        yield WatchedPredictions(predictions, traces, log_all=log_all) if instrumented else predictions


def default_model(settings: Settings) -> ModelReference | None:
    """The model that the settings name, if they name one."""
    return None if settings.default_model is None else ModelReference.parse(settings.default_model)


async def follow_store(services: Services) -> None:
    """Follows what other processes change about the versions in use, and loads the default model, until cancelled."""
    store, current, default = services.store, services.current, services.default_model

    def look() -> None:
        current.round()
        if default is not None and current.last_known(default) is None:
            with contextlib.suppress(StoreError):  # it is not there yet, or cannot be read
                load(store, services.warm, choose(store, *default))
                current.look(default)

    while True:
        await asyncio.to_thread(look)
        await asyncio.sleep(ROUND)


async def forget_deleted(services: Services) -> None:
    """Drops the models and metrics of versions that other processes have deleted, now and again, until cancelled."""

    def gone(name: str, number: int) -> bool:
        return not services.store.models.has(name, number)

    while True:
        for each in (services.warm, services.metrics.predictions):
            with contextlib.suppress(StoreError):
                await asyncio.to_thread(each.forget, gone)
        await asyncio.sleep(BETWEEN_ROUNDS)


def _gauges(services: Services, batches: Batches) -> Gauges:
    warm, bodies = services.warm, services.bodies
    return Gauges(
        [
            ("modelwright_warm_models", "Models in memory.", lambda: len(warm)),
            ("modelwright_warm_model_bytes", "Bytes of the models in memory.", lambda: warm.bytes),
            ("modelwright_warm_model_hits_total", "Predictions that found their model in memory.", lambda: warm.hits),
            ("modelwright_warm_model_loads_total", "Models that were loaded into memory.", lambda: warm.loads),
            ("modelwright_request_memory_bytes", "Bytes of the bodies that are read.", lambda: bodies.taken),
            ("modelwright_predictions_waiting", "Predictions that wait for a thread.", lambda: batches.waiting),
        ]
    )
