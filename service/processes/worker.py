"""A worker process of a service, started by the supervisor: `answer WIRE LISTENER…` or `train WIRE` (file descriptors).

Each role imports what it needs: the process that runs the trainings loads neither torch nor FastAPI.
"""

import asyncio
import json
import os
import signal
import socket
import sys
from contextlib import ExitStack, closing
from functools import partial

from model_store.errors import StoreError
from service.access.audit import Audit
from service.access.errors import AccessError
from service.api.schemas.job import job_document
from service.background.channel import Channel
from service.background.training_service import TrainingService, open_journal, webhook_settings
from service.home import HomeError
from service.interpreter import quick_imports
from service.jobs.errors import JournalNotOpened, WebhooksMisconfigured
from service.jobs.journal import Journal
from service.liveness import die_with
from service.opening import open_store
from service.settings import InvalidSettings, Settings, forget_secrets
from service.signatures.signatures import Signatures
from service.telemetry import logs
from service.telemetry.exposition import families
from service.telemetry.metrics import ProcessMetrics
from service.telemetry.open_traces import open_traces
from service.telemetry.watchers import JobObservers
from service.workflow.errors import InvalidPlugin


def main(arguments: list[str]) -> int:
    """Runs the worker until the supervisor stops it; the exit status."""
    die_with(os.getppid())
    role, wire, *listeners = arguments
    connection = socket.socket(fileno=int(wire))
    os.environ.update(secrets_from(connection))  # which changes nothing of what other processes can read of it
    to_others = Channel(connection)
    try:
        settings = Settings.read()
        logs.configure(settings.log_level, settings.log_format)
        if role == "answer":
            answer(settings, to_others, [socket.socket(fileno=int(each)) for each in listeners])
        else:
            asyncio.run(train(settings, to_others))
    except (
        StoreError,
        AccessError,
        HomeError,
        InvalidPlugin,
        InvalidSettings,
        JournalNotOpened,
        WebhooksMisconfigured,
        OSError,
    ) as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201 - as the command line does
        return 1
    return 0


def secrets_from(connection: socket.socket) -> dict[str, str]:
    """The supervisor's first message: the secrets of its environment. It sends nothing else before this process is ready."""
    line = b""
    while not line.endswith(b"\n"):
        read = connection.recv(2**16)
        if not read:
            sys.exit(1)  # the supervisor has ended
        line += read
    secrets: dict[str, str] = json.loads(line)[1]
    return secrets


def answer(settings: Settings, wire: Channel, listeners: list[socket.socket]) -> None:
    """Answers requests, on sockets that other workers share."""
    from service.startup import start_up

    startup = start_up(settings)  # reports mistakes before anything large is imported
    with quick_imports():
        from service.app import serve

    serve(startup, listeners, wire)


async def train(settings: Settings, wire: Channel) -> None:
    """Runs the trainings of the whole service."""
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    with ExitStack() as stack:
        engine = open_journal(settings)
        stack.callback(engine.dispose)
        stack.callback(wire.close)
        store = open_store(settings)
        forget_secrets()
        home = settings.home.resolve()
        counted = ProcessMetrics()
        watchers = stack.enter_context(closing(JobObservers(counted.jobs, open_traces(Journal(engine).attempts))))
        audit = stack.enter_context(closing(Audit(home / "audit")))
        changed = partial(wire.send, "job")
        webhooks, signatures = webhook_settings(settings), Signatures.open(settings)
        trainings = TrainingService(
            settings, engine, store, watchers, changed, job_document, audit, webhooks, signatures
        )
        counted.add(trainings.gauges())
        wire.handlers |= {
            "wake": lambda _: trainings.wake(),
            "job": lambda _: trainings.changed(),
            "stop": lambda _: trainings.drain(),
            "get_metrics": lambda _: wire.send("metrics", families(counted.registry)),
        }
        trainings.start()
        stack.callback(trainings.stop)
        stack.callback(asyncio.create_task(trainings.tidy()).cancel)
        await wire.open()
        await stop.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
