"""The body of `/metrics`: the metrics of this process, or of all processes of the service together."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import torch
from prometheus_client import CollectorRegistry

from service import __version__
from service.access.keyring import Keyring
from service.background.channel import Wire
from service.jobs.journal import Journal
from service.telemetry.exposition import families, text
from service.telemetry.gauges import Gauges, Surroundings
from service.telemetry.jobs import JournalFigures
from service.telemetry.metrics import Metrics

MOST_SECONDS = 5.0  # for the metrics of all processes; the supervisor waits for none longer than one


def exposition(
    metrics: Metrics, journal: Journal, keyring: Keyring, home: Path, wire: Wire | None
) -> Callable[[], Awaitable[bytes]]:
    """A function that collects the metrics as text.

    What is the same for all processes (the journal, the keys, the disk, versions) is collected by the one that is asked,
    so that it is counted once. The function raises TimeoutError if the supervisor does not answer.
    """
    shared = CollectorRegistry()
    shared.register(JournalFigures(journal.counts))
    about = "0 while whoever reaches the service may do everything."
    shared.register(Gauges([("modelwright_keys_required", about, lambda: keyring.on)]))
    shared.register(Surroundings(home, {"modelwright": __version__, "torch": torch.__version__}))

    async def collect() -> bytes:
        summed = None if wire is None else await wire.figures(MOST_SECONDS)

        def as_text() -> bytes:  # in a thread: the journal and the disk may take their time
            return text([*(families(metrics.registry) if summed is None else summed), *families(shared)])

        return await asyncio.to_thread(as_text)

    return collect
