"""Delivers webhooks: at least once for each end of a job, retried for about a day."""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import httpx
import orjson
from pydantic_core import Url

from service.jobs.errors import AddressRefused, JournalUnavailable
from service.jobs.job import Job
from service.jobs.outbox import Delivery, Outbox
from service.jobs.signing import Signer
from service.jobs.webhook_allowlist import WebhookAllowlist
from service.jobs.webhook_http import open_transport, post

# Seconds between two tries: eleven tries in about a day.
SCHEDULE = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0, 28_800.0)
TIMEOUT = 10.0  # seconds for one try
LEASE = 30.0  # seconds after which a try that was never settled is repeated
POLL = 1.0  # seconds between two queries of the outbox
PAUSE = 0.1  # seconds between two queries at least
GRACE = 1.0  # seconds that running tries have left when the service stops
MOST_AT_ONCE = 16
GONE = 410  # the receiver wants no more deliveries

log = logging.getLogger(__name__)


class Webhooks:
    """A thread that delivers what is due in the outbox, several at a time.

    Args:
        outbox: where the deliveries are.
        signer: signs them.
        allowlist: the hosts that they may go to.
        document: returns what a receiver gets of a job.
        schedule, timeout, lease, poll: see the constants.
    """

    def __init__(
        self,
        outbox: Outbox,
        signer: Signer,
        allowlist: WebhookAllowlist,
        document: Callable[[Job], Mapping[str, Any]],
        *,
        schedule: Sequence[float] = SCHEDULE,
        timeout: float = TIMEOUT,
        lease: float = LEASE,
        poll: float = POLL,
    ) -> None:
        self._outbox = outbox
        self._signer = signer
        self._allowlist = allowlist
        self._document = document
        self._schedule = schedule
        self._timeout = timeout
        self._lease = lease
        self._poll = poll
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()
        self._stopping = False
        self._failed = False
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        """Starts to deliver."""
        self._thread.start()

    def wake(self) -> None:
        """Checks for due deliveries. From any thread."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._woken.set)

    def stop(self) -> None:
        """Waits a moment for running tries, and puts the others back."""
        self._stopping = True
        self.wake()
        self._thread.join(2 * GRACE)
        if self._thread.is_alive():
            log.warning("the webhooks did not stop in time; what was under way is delivered again")

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception:
            log.exception("the webhooks have stopped; they go on when the service is started again")

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        tries: set[asyncio.Task[None]] = set()
        async with open_transport() as transport:
            while not self._stopping:
                self._woken.clear()
                self._begin(transport, tries)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), self._poll)
                    if not self._stopping:
                        await asyncio.sleep(PAUSE)
            if tries:
                await asyncio.wait(tries, timeout=GRACE)
            for each in tries:
                each.cancel()
            await asyncio.gather(*tries, return_exceptions=True)

    def _begin(self, transport: httpx.AsyncHTTPTransport, tries: set[asyncio.Task[None]]) -> None:
        """Claims deliveries that are due, at most MOST_AT_ONCE."""

        def ended(task: asyncio.Task[None]) -> None:
            tries.discard(task)
            self._woken.set()

        try:
            while len(tries) < MOST_AT_ONCE:
                delivery = self._outbox.claim(lease=self._lease, schedule=self._schedule)
                self._failed = False
                if delivery is None:
                    return
                task = asyncio.create_task(self._deliver(transport, delivery))
                tries.add(task)
                task.add_done_callback(ended)
        except Exception as error:
            if not self._failed:  # logged once, not each second
                self._failed = True
                known = isinstance(error, JournalUnavailable)
                log.warning("the webhooks cannot read the journal: %s", error, exc_info=not known)

    async def _deliver(self, transport: httpx.AsyncHTTPTransport, delivery: Delivery) -> None:
        """Makes one try and settles it. What is not settled is tried again after its lease."""
        try:
            outcome, done = await self._try(transport, delivery)
        except asyncio.CancelledError:
            self._settle(delivery, "stopped", 0.0)
            raise
        again = None if done or delivery.tries > len(self._schedule) else self._schedule[delivery.tries - 1]
        self._settle(delivery, outcome, again)
        about = {"job_id": delivery.job.id}
        if outcome.startswith("2"):
            log.info("webhook of job %s: delivered", delivery.job.id, extra=about)
        else:
            after = "given up" if again is None else f"again in {again:g} s"
            said = "webhook of job %s: try %d: %s; %s"
            log.warning(said, delivery.job.id, delivery.tries, outcome, after, extra=about)

    async def _try(self, transport: httpx.AsyncHTTPTransport, delivery: Delivery) -> tuple[str, bool]:
        """The status code or the name of the error, and whether it is final. Nothing of the response's body."""
        try:
            url = Url(delivery.url)
            if not self._allowlist.allow(url):
                return "host not allowed", True
            body = self._body(delivery.job)
            headers = self._signer.headers(delivery.message_id, int(delivery.began.timestamp()), body)
            status = await post(transport, url, headers, body, self._timeout)
        except AddressRefused:
            return "address refused", True
        except (httpx.HTTPError, OSError) as error:  # TimeoutError is an OSError
            return _innermost(error), False
        except Exception as error:
            log.exception("webhook of job %s", delivery.job.id, extra={"job_id": delivery.job.id})
            return type(error).__name__, False
        return str(status), 200 <= status < 300 or status == GONE

    def _body(self, job: Job) -> bytes:
        about = {"type": f"training_job.{job.status}", "timestamp": job.finished_at, "data": self._document(job)}
        return orjson.dumps(about)

    def _settle(self, delivery: Delivery, outcome: str, again: float | None) -> None:
        try:
            self._outbox.settle(delivery, outcome, again=again)
        except Exception as error:
            about = {"job_id": delivery.job.id}
            log.warning("webhook of job %s: %s was not noted: %s", delivery.job.id, outcome, error, extra=about)


def _innermost(error: Exception) -> str:
    """The name of the innermost OSError: `ConnectionRefusedError` says more than `ConnectError`."""
    deepest, each = error, error.__cause__ or error.__context__
    while isinstance(each, Exception):
        deepest = each if isinstance(each, OSError) else deepest
        each = each.__cause__ or each.__context__
    return type(deepest).__name__
