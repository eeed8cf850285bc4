"""The feed: one reader of the journal for all coroutines of this process that watch jobs.

It reads a job at once when it is notified of a change, and all watched jobs twice a second, to find the changes of other
processes. The more watchers there are, the longer it pauses between two reads; and it wakes only some of them at a time, so
that other requests are answered in between.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from service.jobs.errors import JobNotFound, JobsError, TooManyWatchers
from service.jobs.job import Event, Job
from service.jobs.journal import Journal, Mark

MOST_WATCHERS = 1_024
READ_AGAIN = 0.5  # seconds between two reads of all watched jobs
PAUSE = 0.5e-3  # seconds between two reads for each watcher, up to READ_AGAIN
AT_ONCE = 32  # watchers that are woken in one iteration of the event loop
KEPT = 1_000  # events of a watched job in memory; a watcher that is further behind reads the journal
PAGE = 1_000  # events that are read at a time

Reached = Callable[["Watched"], bool]

log = logging.getLogger(__name__)


@dataclass
class Watched:
    """A watched job as it was last read."""

    job: Job | None = None
    mark: Mark | None = None
    gone: bool = False  # whether it does not exist any more
    since: int = 0  # `events` has every event after this one, up to that of the mark
    events: deque[tuple[int, bytes]] = field(default_factory=deque)  # with their ids
    watchers: int = 0
    wait_for_read: list[asyncio.Future[Job]] = field(default_factory=list)
    wait_for: dict[asyncio.Future[Job], Reached] = field(default_factory=dict)
    pages: dict[int, asyncio.Future[list[Event]]] = field(default_factory=dict)  # being read, by the event before

    def follows(self, after: int) -> bool:
        """Whether there is news after that event: another event, or the end of the job."""
        return self.job is None or self.mark is None or self.mark.event > after or self.job.final


class Feed:
    """The changes of jobs, for coroutines of one event loop.

    Args:
        journal: is read, in a thread.
        shown: returns the job to show for one that was read; called in that thread.
        written: returns the bytes of an event that are sent to all watchers.
        most_watchers, kept, page: see the constants.
    """

    def __init__(
        self,
        journal: Journal,
        shown: Callable[[Job], Job],
        written: Callable[[Event], bytes],
        *,
        most_watchers: int = MOST_WATCHERS,
        kept: int = KEPT,
        page: int = PAGE,
    ) -> None:
        self._journal = journal
        self._shown = shown
        self._written = written
        self._most_watchers, self._kept, self._page = most_watchers, kept, page
        self._loop = asyncio.get_running_loop()
        self._reader, self._page_readers = ThreadPoolExecutor(1, "feed"), ThreadPoolExecutor(2, "events")
        self._watched: dict[str, Watched] = {}
        self._changed: set[str] = set()
        self._notified = asyncio.Event()
        self.watchers = 0
        self.closed = False

    # From any thread

    def notify(self, job_id: str) -> None:
        """Reads a job again that has changed."""
        if job_id in self._watched:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._read_soon, job_id)

    def close(self) -> None:
        """Wakes all watchers within half a second, because the service stops. Takes no lock: for signal handlers, too."""
        self.closed = True

    # For watchers

    @contextmanager
    def watch(self, job_id: str) -> Iterator[Watched]:
        """Watches a job while the context lasts.

        Raises:
            TooManyWatchers: the limit is reached.
        """
        if self.watchers >= self._most_watchers:
            raise TooManyWatchers
        watched = self._watched.setdefault(job_id, Watched())
        self.watchers += 1
        watched.watchers += 1
        try:
            yield watched
        finally:
            self.watchers -= 1
            watched.watchers -= 1
            if not watched.watchers:
                del self._watched[job_id]

    async def read(self, job_id: str) -> Job:
        """The watched job as the next read finds it.

        Raises:
            JobNotFound: there is none with this id.
        """
        job: asyncio.Future[Job] = self._loop.create_future()
        self._watched[job_id].wait_for_read.append(job)
        self._read_soon(job_id)
        return await job

    async def wait(self, watched: Watched, reached: Reached, seconds: float) -> bool:
        """Waits until `reached` is true, the job is gone or the feed is closed; False after so many seconds."""
        if reached(watched) or watched.gone or self.closed:
            return True
        woken: asyncio.Future[Job] = self._loop.create_future()
        watched.wait_for[woken] = reached
        try:
            await asyncio.wait_for(woken, seconds)
        except TimeoutError:
            return False
        except JobNotFound:
            return True
        finally:
            watched.wait_for.pop(woken, None)
        return True

    async def events(self, job_id: str, watched: Watched, after: int) -> tuple[Sequence[bytes], int]:
        """The events after that number, all or the first page of them; and the number of the last."""
        since = watched.since
        if after < since:
            if after not in watched.pages:
                read = lambda: self._journal.events(job_id, after=after, limit=self._page)  # noqa: E731
                reading = watched.pages[after] = self._loop.run_in_executor(self._page_readers, read)
                reading.add_done_callback(lambda _: watched.pages.pop(after))
            if found := await asyncio.shield(watched.pages[after]):
                return [self._written(each) for each in found], found[-1].id
        kept = [each for each in watched.events if each[0] > max(after, since)]
        return [each for _, each in kept], kept[-1][0] if kept else max(after, since)

    # The reader

    async def run(self) -> None:
        """Reads for the watchers, until it is cancelled."""
        next_full_read = 0.0
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(READ_AGAIN if self._watched else None):
                    await self._notified.wait()
            self._notified.clear()
            ids, self._changed = self._changed & self._watched.keys(), set()
            if (now := self._loop.time()) >= next_full_read:
                ids, next_full_read = set(self._watched), now + READ_AGAIN
            await self._read(ids)
            await asyncio.sleep(min(READ_AGAIN, PAUSE * self.watchers))

    def stop(self) -> None:
        """Ends the threads that read."""
        self._reader.shutdown(wait=False)
        self._page_readers.shutdown(wait=False)

    def _read_soon(self, job_id: str) -> None:
        self._changed.add(job_id)
        self._notified.set()

    async def _read(self, ids: set[str]) -> None:
        watched = {each: self._watched[each] for each in ids}
        reads = {each: job.wait_for_read for each, job in watched.items()}
        for job in watched.values():
            job.wait_for_read = []
        marks = {each: job.mark for each, job in watched.items()}
        try:
            found = await self._loop.run_in_executor(self._reader, self._changes, marks) if marks else {}
        except JobsError as error:  # it passes, and the watchers can wait
            log.debug("the journal could not be read for those who watch jobs: %s", error)
            for each in (future for futures in reads.values() for future in futures):
                if not each.done():
                    each.set_exception(type(error)())
            found = {}
        for job_id, change in found.items():
            self._update(watched[job_id], change)
        await self._wake(watched, reads)

    def _changes(self, marks: dict[str, Mark | None]) -> dict[str, tuple[Mark, Job, list[Event]] | None]:
        """Mark, job and new events of the jobs whose marks have changed; None for one that is gone."""
        now, found = self._journal.marks(list(marks)), dict[str, tuple[Mark, Job, list[Event]] | None]()
        for job_id, before in marks.items():
            mark = now.get(job_id)
            if mark is None:
                found[job_id] = None
            elif mark != before:
                with suppress(JobNotFound):  # at the next read
                    job = self._shown(self._journal.outline(job_id))
                    since = None if before is None else before.event
                    events = [] if since is None else self._journal.events(job_id, after=since, limit=self._page)
                    found[job_id] = mark, job, events
        return found

    def _update(self, watched: Watched, change: tuple[Mark, Job, list[Event]] | None) -> None:
        if change is None:
            watched.gone, watched.job = True, None
            return
        mark, watched.job, events = change
        if watched.mark is None or len(events) == self._page:  # nothing is known, or there is more than is kept
            watched.since = mark.event
            watched.events.clear()
        else:
            watched.events.extend((each.id, self._written(each)) for each in events)
            if events:
                mark = mark._replace(event=max(mark.event, events[-1].id))
            while len(watched.events) > self._kept:
                watched.since = watched.events.popleft()[0]
        watched.mark = mark

    async def _wake(self, watched: dict[str, Watched], reads: dict[str, list[asyncio.Future[Job]]]) -> None:
        woken: list[tuple[asyncio.Future[Any], Job | None]] = []
        for job_id, job in watched.items():
            woken += [(each, job.job) for each in reads[job_id]]
            over = job.gone or self.closed
            woken += [(each, job.job) for each, reached in job.wait_for.items() if over or reached(job)]
        for number, (future, known) in enumerate(woken, 1):
            if future.done():
                continue
            if known is None:
                future.set_exception(JobNotFound())
            else:
                future.set_result(known)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
