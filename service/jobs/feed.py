"""The feed: who waits for jobs in this process is told of their changes by one reader of the journal for all of them.

It reads what a change rings for at once, and all jobs that somebody watches twice a second, for another process's changes
make no sound here. The more watchers there are, the longer it rests between two reads, and it wakes only some at a time:
whoever else wants an answer comes in between.
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
READ_AGAIN = 0.5  # seconds after which another process's changes are looked for
REST = 0.5e-3  # seconds between two reads for each watcher, up to READ_AGAIN
AT_ONCE = 32  # watchers that are woken before others have their turn
KEPT = 1_000  # events of a watched job that are kept; who is further behind reads the journal
PAGE = 1_000  # events that are read at a time

Reached = Callable[["Watched"], bool]

log = logging.getLogger(__name__)


@dataclass
class Watched:
    """A job that somebody watches, as it was last read."""

    job: Job | None = None
    mark: Mark | None = None
    gone: bool = False  # there is no such job any more
    since: int = 0  # every event after this one, up to the mark's, is in `events`
    events: deque[tuple[int, bytes]] = field(default_factory=deque)
    watchers: int = 0
    wait_for_read: list[asyncio.Future[Job]] = field(default_factory=list)
    wait_for: dict[asyncio.Future[Job], Reached] = field(default_factory=dict)
    pages: dict[int, asyncio.Future[list[Event]]] = field(default_factory=dict)  # of the journal, that are being read

    def follows(self, after: int) -> bool:
        """Whether there is more to tell to who has had the events up to that number: another one, or that it has ended."""
        return self.job is None or self.mark is None or self.mark.event > after or self.job.final


class Feed:
    """The changes of jobs, for coroutines of one event loop.

    Args:
        journal: is read, in a thread.
        shown: makes of a job that was read the one to be shown, in that thread.
        written: makes of an event the bytes that all who watch are sent.
    """

    def __init__(self, journal: Journal, shown: Callable[[Job], Job], written: Callable[[Event], bytes]) -> None:
        self._journal = journal
        self._shown = shown
        self._written = written
        self._loop = asyncio.get_running_loop()
        self._reader, self._page_readers = ThreadPoolExecutor(1, "feed"), ThreadPoolExecutor(2, "events")
        self._watched: dict[str, Watched] = {}
        self._changed: set[str] = set()
        self._rung = asyncio.Event()
        self.watchers = 0
        self.closed = False

    # From anywhere

    def ring(self, job_id: str) -> None:
        """This job has changed. From any thread."""
        if job_id in self._watched:
            with suppress(RuntimeError):  # the loop is closed, and nobody watches any more
                self._loop.call_soon_threadsafe(self._ring, job_id)

    def close(self) -> None:
        """The service is about to stop: who waits is let go within half a second. Takes no lock: for signal handlers."""
        self.closed = True

    # For those who watch

    @contextmanager
    def watch(self, job_id: str) -> Iterator[Watched]:
        """The job, followed as long as this lasts.

        Raises:
            TooManyWatchers: there are as many as may be.
        """
        if self.watchers >= MOST_WATCHERS:
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
        """The watched job as it is now: by the next read that begins.

        Raises:
            JobNotFound: there is none with this id.
        """
        asked: asyncio.Future[Job] = self._loop.create_future()
        self._watched[job_id].wait_for_read.append(asked)
        self._ring(job_id)
        return await asked

    async def wait(self, watched: Watched, reached: Reached, seconds: float) -> bool:
        """Until what is waited for is reached, the job is gone, or the service is to stop; False after so many seconds."""
        if reached(watched) or watched.gone or self.closed:
            return True
        told: asyncio.Future[Job] = self._loop.create_future()
        watched.wait_for[told] = reached
        try:
            await asyncio.wait_for(told, seconds)
        except TimeoutError:
            return False
        except JobNotFound:
            return True
        finally:
            watched.wait_for.pop(told, None)
        return True

    async def events(self, job_id: str, watched: Watched, after: int) -> tuple[Sequence[bytes], int]:
        """The events after that number, all that there are or the first so many of them; and the number to go on after."""
        since = watched.since
        if after < since:
            if after not in watched.pages:
                read = lambda: self._journal.events(job_id, after=after, limit=PAGE)  # noqa: E731
                reading = watched.pages[after] = self._loop.run_in_executor(self._page_readers, read)
                reading.add_done_callback(lambda _: watched.pages.pop(after))
            if found := await asyncio.shield(watched.pages[after]):
                return [self._written(each) for each in found], found[-1].id
        kept = [each for each in watched.events if each[0] > max(after, since)]
        return [each for _, each in kept], kept[-1][0] if kept else max(after, since)

    # The reader

    async def run(self) -> None:
        """Reads for those who watch, until it is cancelled."""
        next_round = 0.0
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(READ_AGAIN if self._watched else None):
                    await self._rung.wait()
            self._rung.clear()
            ids, self._changed = self._changed & self._watched.keys(), set()
            if (now := self._loop.time()) >= next_round:
                ids, next_round = set(self._watched), now + READ_AGAIN
            await self._read(ids)
            await asyncio.sleep(min(READ_AGAIN, REST * self.watchers))

    def stop(self) -> None:
        """Nothing is read any more."""
        self._reader.shutdown(wait=False)
        self._page_readers.shutdown(wait=False)

    def _ring(self, job_id: str) -> None:
        self._changed.add(job_id)
        self._rung.set()

    async def _read(self, ids: set[str]) -> None:
        watched = {each: self._watched[each] for each in ids}
        asked = {each: job.wait_for_read for each, job in watched.items()}
        for job in watched.values():
            job.wait_for_read = []
        marks = {each: job.mark for each, job in watched.items()}
        try:
            found = await self._loop.run_in_executor(self._reader, self._changes, marks) if marks else {}
        except JobsError as error:  # it passes, and who already watches has time
            log.debug("the journal could not be read for those who watch jobs: %s", error)
            for each in (future for futures in asked.values() for future in futures):
                if not each.done():
                    each.set_exception(type(error)())
            found = {}
        for job_id, change in found.items():
            _take(watched[job_id], change, self._written)
        await self._wake(watched, asked)

    def _changes(self, marks: dict[str, Mark | None]) -> dict[str, tuple[Mark, Job, list[Event]] | None]:
        """Of the jobs that are not as their marks have them: mark, job, and events since; None of one that is gone."""
        now, found = self._journal.marks(list(marks)), dict[str, tuple[Mark, Job, list[Event]] | None]()
        for job_id, before in marks.items():
            mark = now.get(job_id)
            if mark is None:
                found[job_id] = None
            elif mark != before:
                with suppress(JobNotFound):  # at the next read
                    job = self._shown(self._journal.outline(job_id))
                    events = [] if before is None else self._journal.events(job_id, after=before.event, limit=PAGE)
                    found[job_id] = mark, job, events
        return found

    async def _wake(self, watched: dict[str, Watched], asked: dict[str, list[asyncio.Future[Job]]]) -> None:
        tell: list[tuple[asyncio.Future[Any], Job | None]] = []
        for job_id, job in watched.items():
            tell += [(each, job.job) for each in asked[job_id]]
            tell += [(each, job.job) for each, wanted in job.wait_for.items() if job.gone or self.closed or wanted(job)]
        for number, (future, known) in enumerate(tell, 1):
            if future.done():
                continue
            if known is None:
                future.set_exception(JobNotFound())
            else:
                future.set_result(known)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)


def _take(watched: Watched, change: tuple[Mark, Job, list[Event]] | None, written: Callable[[Event], bytes]) -> None:
    """A watched job as it was just read."""
    if change is None:
        watched.gone, watched.job = True, None
        return
    mark, watched.job, events = change
    if watched.mark is None or len(events) == PAGE:  # nothing is known, or there is more than is kept
        watched.since = mark.event
        watched.events.clear()
    else:
        watched.events.extend((each.id, written(each)) for each in events)
        if events:
            mark = mark._replace(event=max(mark.event, events[-1].id))
        while len(watched.events) > KEPT:
            watched.since = watched.events.popleft()[0]
    watched.mark = mark
