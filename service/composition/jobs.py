"""The journal, the feed of its changes, and the runner of trainings in this process or in another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from functools import partial

from sqlalchemy import Engine

from model_store import Store
from service.api.routes import training_jobs
from service.api.schemas.job import job_document
from service.background.channel import Channel
from service.background.sweeping import Sweeping
from service.background.training_service import TrainingService, memory_limit
from service.jobs.feed import Feed
from service.jobs.journal import Journal
from service.jobs.sweep_steps import SweepSteps
from service.startup import Startup
from service.telemetry.exposition import families
from service.telemetry.metrics import Metrics
from service.telemetry.open_traces import open_traces
from service.telemetry.watchers import JobObservers
from service.use_cases.advance_sweeps import SweepAdvancer
from service.use_cases.submit_training import Limits
from service.use_cases.version_resolver import VersionResolver


class Jobs:
    """The services for jobs. Without a `wire` this process runs the trainings."""

    def __init__(
        self,
        startup: Startup,
        metrics: Metrics,
        engine: Engine,
        store: Store,
        current: VersionResolver,
        wire: Channel | None,
    ) -> None:
        self._metrics, self._wire = metrics, wire
        with_latest_current = partial(training_jobs.with_latest_current, current)
        self.traces = open_traces(Journal(engine).attempts)
        self.watchers = JobObservers(metrics.jobs, self.traces)
        self.journal = Journal(engine, changed=self._changed, moved=self.watchers.moved)
        self.sweeps = SweepSteps(engine, changed=self._changed, moved=self.watchers.moved)
        self.feed = Feed(Journal(engine), with_latest_current, training_jobs.event_bytes)
        self._trainings: TrainingService | None = None
        settings, (destinations, _) = startup.settings, startup.webhooks
        self.limits = Limits(settings.max_parameters, memory_limit(settings), settings.max_model_bytes, destinations)
        self._sweeping = Sweeping(
            SweepAdvancer(store, self.sweeps, self.limits, settings.slots, self.wake).advance_all,
            startup.home / "tmp" / "sweeps.lock",
        )
        if wire is None:
            self._trainings = TrainingService(
                startup.settings,
                engine,
                store,
                self.watchers,
                self._noticed,
                lambda job: job_document(with_latest_current(job)),
                startup.audit,
                startup.webhooks,
                startup.signatures,
            )

    def wake(self) -> None:
        """Wakes the runner, in this process or in another."""
        if self._trainings is not None:
            self._trainings.wake()
        elif self._wire is not None:
            self._wire.send("wake")

    def drain(self) -> None:
        """Ends long waits for jobs, and starts no more trainings, before the service stops."""
        self.feed.close()
        if self._trainings is not None:
            self._trainings.drain()

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Runs the feed, and the trainings or the connection to the supervisor, inside the `async with` block."""
        async with AsyncExitStack() as stack:
            stack.enter_context(closing(self.watchers))
            stack.callback(self.feed.stop)
            stack.callback(asyncio.create_task(self.feed.run()).cancel)
            if self._trainings is not None:
                self._metrics.add(self._trainings.gauges())
                self._trainings.start()
                stack.callback(self._trainings.stop)
                stack.callback(asyncio.create_task(self._trainings.tidy()).cancel)
            if (wire := self._wire) is not None:
                wire.handlers["job"] = self._noticed
                wire.handlers["get_metrics"] = lambda _: wire.send("metrics", families(self._metrics.registry))
                stack.callback(wire.close)
                await wire.open()
            self._sweeping.start()
            stack.callback(self._sweeping.stop)
            yield

    def _noticed(self, job_id: str) -> None:
        """A job, or a sweep, has changed, by this process or another."""
        self.feed.notify(job_id)
        self._sweeping.wake()

    def _changed(self, job_id: str) -> None:
        self._noticed(job_id)
        if self._trainings is not None:
            self._trainings.changed()
        if self._wire is not None:
            self._wire.send("job", job_id)
