"""The composition root: the application with its routes and its lifespan, and the server that serves it."""

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import NamedTuple

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from sqlalchemy import Engine

from service import __version__
from service.access.audit import Audit
from service.api import problems
from service.api.dependencies import Services
from service.api.dialects import registry as dialects
from service.api.head import AnswerHead
from service.api.holder import Holder
from service.api.middleware import access_log
from service.api.middleware.authorize import Edge
from service.api.middleware.instrument import Watched
from service.api.openapi import describe
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
from service.background.channel import Wire
from service.background.trainings import open_journal, plug_in_kinds
from service.composition.predictions import PredictionEndpoint, connections, entry
from service.composition.services import open_services
from service.http_server.sockets import open_listeners
from service.server import Server
from service.settings import forget_secrets
from service.startup import Startup
from service.telemetry import logs
from service.telemetry.metrics import Metrics
from service.workflow.models import install as install_models

DESCRIPTION = "POST a config, get a model."

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
    *dialects.ROUTERS,
)


class Application(NamedTuple):
    """The application, and what the HTTP server needs besides."""

    framework: FastAPI
    entry: Edge  # before FastAPI's own entry, which looks at the environment for each request
    metrics: Metrics
    services: Holder[Services]


def create_app(startup: Startup, engine: Engine | None = None, wire: Wire | None = None) -> FastAPI:
    """The application; see `build`."""
    return build(startup, engine, wire).framework


def build(startup: Startup, engine: Engine | None = None, wire: Wire | None = None) -> Application:
    """The application. Its services are opened by its lifespan.

    Args:
        startup: the settings, and what was opened according to them.
        engine: the journal's database, where that has been opened already; closed at the end.
        wire: to the other processes of the service, if there are any; one of them runs the trainings, else this one does.
    """
    settings, metrics, services = startup.settings, Metrics(), Holder[Services]()
    audit_log, endpoint = Audit(settings.home.resolve() / "audit"), Holder[PredictionEndpoint]()
    install_models(plug_in_kinds())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = engine or open_journal(settings)
        async with open_services(startup, audit_log, metrics, endpoint, database, wire) as opened:
            with services.holding(opened):
                yield

    app = FastAPIOffline(
        title="Modelwright",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        redoc_url=None,
        redirect_slashes=False,  # the redirect would believe the Host header
    )
    app.state.services = services
    app.add_middleware(AnswerHead)
    problems.install(app)
    dialects.install(app)
    for each in ROUTERS:
        app.include_router(each.router)
    framework, authorized = app.build_middleware_stack, partial(entry, startup, audit_log, metrics, endpoint)
    # Before its middleware and router, which take several times as long as a prediction does.
    app.build_middleware_stack = lambda: authorized(  # type: ignore[method-assign]
        Watched(framework(), metrics.requests, lambda: services.get().traces)
    )
    app.openapi = lambda: describe(app, keys_on=startup.keyring.on)  # type: ignore[method-assign] # FastAPI's own way
    return Application(app, authorized(app), metrics, services)


def serve(startup: Startup, listeners: list[socket.socket] | None = None, wire: Wire | None = None) -> None:
    """Serves until SIGTERM or SIGINT.

    Args:
        startup: the settings, and what was opened according to them.
        listeners: the sockets to serve on, where the supervisor has opened them.
        wire: to the supervisor and the other processes.

    Raises:
        JournalNotOpened: the journal's database cannot be opened; nothing was started.
        OSError: the address cannot be listened on; nothing was started.
    """
    settings = startup.settings
    logs.configure(settings.log_level)
    access_log.log.disabled = settings.access_log == "none"
    engine = open_journal(settings)  # before uvicorn, which would wrap what goes wrong in a traceback
    forget_secrets()
    app = build(startup, engine, wire)

    def drain() -> None:
        if app.services.value is not None:  # else the lifespan has not begun
            app.services.value.drain()

    server = Server(
        app.entry,
        http=connections(app.entry, app.metrics),
        delay=settings.stop_delay_seconds,
        stopping=drain,
        alone=wire is None,
    )
    if wire is not None:
        wire.heed["stop"] = lambda _: server.announce()
    server.serve_on(listeners or open_listeners(settings.host, settings.port))
    if not server.started:
        sys.exit(1)
