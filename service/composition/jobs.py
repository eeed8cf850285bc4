"""How jobs are connected: the journal, those who wait for jobs, the runner of this process or of another, and the metrics."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from functools import partial

from sqlalchemy import Engine

from model_store import Store
from service.access.audit import Audit
from service.api.routes import training_jobs
from service.api.schemas.job import document
from service.background.channel import Wire
from service.background.trainings import Trainings
from service.jobs.feed import Feed
from service.jobs.journal import Journal
from service.startup import Startup
from service.telemetry.exposition import families
from service.telemetry.metrics import Metrics
from service.telemetry.open_traces import open_traces
from service.telemetry.watchers import Watchers
from service.use_cases.current_versions import CurrentVersions


class Jobs:
    """The jobs as this process sees them. Without a `wire` it runs the trainings itself."""

    def __init__(
        self,
        startup: Startup,
        audit: Audit,
        metrics: Metrics,
        engine: Engine,
        store: Store,
        current: CurrentVersions,
        wire: Wire | None,
    ) -> None:
        self._metrics, self._wire = metrics, wire
        followed = partial(training_jobs.followed, current)
        self.traces = open_traces(Journal(engine).attempts)
        self.watchers = Watchers(metrics.jobs, self.traces)
        self.journal = Journal(engine, changed=self._changed, moved=self.watchers.moved)
        self.feed = Feed(Journal(engine), followed, training_jobs.written)
        self._trainings: Trainings | None = None
        if wire is None:
            self._trainings = Trainings(
                startup.settings,
                engine,
                store,
                self.watchers,
                self.feed.ring,
                lambda job: document(followed(job)),
                audit,
                startup.webhooks,
            )

    def wake(self) -> None:
        """Tells the runner, in this process or in another, that there may be something to run."""
        if self._trainings is not None:
            self._trainings.wake()
        elif self._wire is not None:
            self._wire.say("wake")

    def drain(self) -> None:
        """Lets those go who wait for a job, and starts no more trainings: the service is about to stop."""
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
                wire.heed["job"] = self.feed.ring
                wire.heed["tell"] = lambda _: wire.say("told", families(self._metrics.registry))
                stack.callback(wire.close)
                await wire.open()
            yield

    def _changed(self, job_id: str) -> None:
        self.feed.ring(job_id)
        if self._trainings is not None:
            self._trainings.changed()
        if self._wire is not None:
            self._wire.say("job", job_id)
