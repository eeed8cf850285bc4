"""The composition root: the application with its routes and its lifespan, and the server that serves it."""

import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from fastapi import FastAPI
from sqlalchemy import Engine

from model_store import Store
from service import __version__
from service.api import problems
from service.api.dependencies import Services
from service.api.dialects import registry as dialects
from service.api.holder import Holder
from service.api.middleware.head import AnswerHead
from service.api.middleware.instrument import Instrument
from service.api.middleware.scopes import RequiredScopes
from service.api.openapi import describe
from service.api.routes import (
    aliases,
    audit,
    bundles,
    cards,
    comparisons,
    dataset_items,
    datasets,
    docs,
    drift,
    explanations,
    feedback,
    health,
    keys,
    metrics,
    models,
    predictions,
    provenance,
    retention,
    service,
    sweeps,
    training_jobs,
    uploads,
    web,
)
from service.api.security_headers import ALWAYS
from service.background.channel import Channel
from service.background.training_service import open_journal, plug_in_kinds
from service.composition.predictions import Entry, OpenPredictions, entry
from service.composition.services import open_services
from service.http_server.server import Server
from service.http_server.sockets import open_listeners
from service.opening import open_store
from service.settings import forget_secrets
from service.startup import Startup
from service.telemetry import access_log
from service.telemetry.metrics import Metrics
from service.workflow.models import install as install_models

DESCRIPTION = "POST a config, get a model."

ROUTERS = (
    health,
    training_jobs,
    sweeps,
    datasets,
    dataset_items,
    models,
    aliases,
    retention,
    bundles,
    uploads,
    cards,
    provenance,
    comparisons,
    drift,
    predictions,
    explanations,
    feedback,
    metrics,
    keys,
    audit,
    docs,
    service,
    *dialects.ROUTERS,
    web,
)


class Application(NamedTuple):
    """The application: `entry` authorizes each request and answers predictions; `framework` answers the rest."""

    framework: FastAPI
    entry: Entry
    services: Holder[Services]


def create_app(
    startup: Startup, engine: Engine | None = None, store: Store | None = None, wire: Channel | None = None
) -> Application:
    """The application. Its services are opened by its lifespan.

    Args:
        startup: the settings, and what was opened according to them.
        engine: the journal's database, where that has been opened already; closed at the end.
        store: of the models and data sets, where that has been opened already.
        wire: to the other processes of the service, if there are any; one of them runs the trainings, else this one does.
    """
    settings, metrics, services = startup.settings, Metrics(), Holder[Services]()
    predictions_, scopes = Holder[OpenPredictions](), RequiredScopes(each.router for each in ROUTERS)
    install_models(plug_in_kinds())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = engine or open_journal(settings)
        opened = store or open_store(settings)
        async with open_services(startup, metrics, predictions_, database, opened, wire) as services.value:
            yield

    app = FastAPI(
        title="Modelwright",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        openapi_url=None,  # service/api/routes/docs.py has it, and the page
        redirect_slashes=False,  # the redirect would use the Host header, which clients choose
    )
    app.state.services = services
    app.add_middleware(AnswerHead)
    problems.install(app)
    dialects.install(app)
    for each in ROUTERS:
        app.include_router(each.router)
    instrumented = Instrument(app, metrics.requests, lambda: services.get().traces)
    first = entry(startup, metrics, scopes, predictions_, instrumented)
    app.openapi = lambda: describe(app, scopes, settings.root_path, keys_on=startup.keyring.on)  # type: ignore[method-assign] # FastAPI's own way
    return Application(app, first, services)


def serve(
    startup: Startup,
    listeners: list[socket.socket] | None = None,
    wire: Channel | None = None,
    running: Callable[[str], object] | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT.

    Args:
        startup: the settings, and what was opened according to them.
        listeners: the sockets to serve on, where the supervisor has opened them.
        wire: to the supervisor and the other processes.
        running: called with each address that it listens on, once it accepts connections, where no supervisor does.

    Raises:
        JournalNotOpened: the journal's database cannot be opened; nothing was started.
        StoreError: the model store cannot be opened; nothing was started.
        OSError: the address cannot be listened on; nothing was started.
    """
    settings = startup.settings
    access_log.log.disabled = settings.access_log == "none"
    # Before uvicorn, which would wrap what goes wrong in a traceback.
    engine, store = open_journal(settings), open_store(settings)
    forget_secrets()
    app = create_app(startup, engine, store, wire)

    def drain() -> None:
        if app.services.value is not None:  # else the lifespan has not begun
            app.services.value.drain()

    server = Server(
        app.entry.app,
        http=app.entry.connection,
        delay=settings.stop_delay_seconds,
        stopping=drain,
        alone=wire is None,
        headers=ALWAYS,
        running=running,
    )
    if wire is not None:
        wire.handlers["stop"] = lambda _: server.announce()
    server.serve_on(listeners or open_listeners(settings.host, settings.port))
    if not server.started:
        sys.exit(1)
