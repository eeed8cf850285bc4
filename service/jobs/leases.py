"""Leases: a service that runs jobs writes heartbeats ("beats") into the journal. When they stop, others take its jobs over.

Only monotonic clocks are used, and none is compared with another machine's: a service measures for how long *it* has not
seen another's beat change. Its own attempts end before another service may start them (Gray and Cheriton, "Leases", SOSP
1989). Threads of their own write the beats, so that no other work delays them.

Where the journal can be reached from other machines, every service beats, also one that runs nothing, and takes nothing over
before others could see it for `LeaseTimes.expired` seconds. So a service that sees no other is alone for at least as long.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from service.jobs.errors import JournalUnavailable
from service.jobs.job import Job
from service.jobs.job_queue import JobQueue
from service.jobs.ownership import Ownership

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LeaseTimes:
    """How often services beat, and how long they wait for each other's beats, in seconds. The last three matter only where
    the journal can be reached from other machines."""

    beat: float = 1.0  # between two beats of a service that runs something
    allowed: float = 5.0  # after its last beat, for which attempts may run
    expired: float = 8.0  # without a beat, after which another service takes over; more than `allowed`
    idle_beat: float = 5.0  # between two beats of a service that runs nothing
    lapsed: float = 20.0  # after its own last beat, for which a service may still take over
    gone: float = 40.0  # without a beat, after which another service is forgotten


class Leases:
    """This service's lease on its jobs, and its view of the leases of others.

    Args:
        queue: where the beats are written.
        ownership: this service's name, and which others have ended.
        extended: called, from several threads, with the moment until which attempts may run, by the clock.
        times: how long all this takes.
        clock: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        queue: JobQueue,
        ownership: Ownership,
        extended: Callable[[float], None],
        *,
        times: LeaseTimes = LeaseTimes(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._ownership = ownership
        self._extended = extended
        self._times = times
        self._clock = clock
        self._until = float("-inf")
        self._lock = threading.Lock()  # around `_until` and the call of `extended`: its moments never fall
        self._held = False  # whether this service runs anything
        self._failed = False  # whether the last beat could not be written
        self._stopping = threading.Event()
        self._running, self._all = BeatAges(clock), BeatAges(clock)  # of the services that run jobs, and of all
        self._last_beat = float("-inf")
        # Since when other services can have seen this one.
        self._known_since = float("-inf") if ownership.all_here else float("inf")
        self._threads = [
            threading.Thread(target=each, name=name, daemon=True)
            for name, each in (("beats", self._beat), ("lease", self._extend))
        ]

    def start(self) -> None:
        """Starts to beat whenever this service runs something."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stops to beat. Does not wait for a beat that waits for the journal."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(self._times.beat)

    def hold(self, held: bool) -> None:
        """Sets whether this service runs anything: one that does not writes nothing."""
        self._held = held

    def extend(self, since: float) -> None:
        """Extends the lease: others have seen a beat at that moment or later."""
        with self._lock:
            self._until = max(self._until, since + self._times.allowed)
            self._extended(self._until)

    def expired(self) -> list[str]:
        """The services that run jobs and have ended, or have not beaten for too long."""
        ages = self._running.of(self._queue.beats())
        ages.pop(self._ownership.owner, None)
        now, times = self._clock(), self._times
        may = now - self._known_since > times.expired
        if not self._ownership.all_here:
            may = may and now - self._last_beat <= times.lapsed
        return [owner for owner, age in ages.items() if (may and age > times.expired) or self._ownership.dead(owner)]

    def take_over(self) -> list[Job]:
        """Puts the jobs of services that have ended back into the queue, and returns them."""
        lost = {"code": "lease_lost", "detail": "the service that ran it has ended; another one continues the job"}
        dead = [owner for owner in self._ownership.others() if self._ownership.dead(owner)]
        taken: list[Job] = []
        for owner in self.expired():
            log.warning("service %s has ended; its jobs are requeued", owner)
            # One whose beats have only stopped may resume and take over itself: it is not forgotten yet.
            certain = self._ownership.all_here or self._ownership.dead(owner)
            taken += self._queue.release(owner, lost, forget=certain)
        for owner in dead:
            if not self._queue.running(owner):
                self._queue.forget(owner)  # first: only its file says that it has ended
                self._ownership.forget(owner)
        return taken

    def _beat(self) -> None:
        """The thread that writes the beats, over a connection of its own."""
        while not self._stopping.is_set():
            try:
                with self._queue.own_connection():
                    while not self._stopping.wait(self._times.beat):
                        self._beat_once()
            except Exception as error:
                if not isinstance(error, JournalUnavailable):
                    log.exception("the beats of this service met an error and go on")
                elif not self._failed:
                    log.warning("this service cannot write its heartbeat: %s", error.__cause__ or error)
                self._failed = True
                self._stopping.wait(self._times.beat)

    def _beat_once(self) -> None:
        now = self._clock()  # the moment before: others may see the beat at once
        everywhere = not self._ownership.all_here
        if self._held or (everywhere and now - self._last_beat >= self._times.idle_beat):
            self._queue.beat(self._ownership.owner)
            if everywhere and now - self._last_beat > self._times.lapsed:
                self._known_since = self._clock()
            self._last_beat = now
            self.extend(now)
        self._failed = False

    def _extend(self) -> None:
        """The thread that extends the lease while a beat waits for the journal, as long as no other service is there that
        could take the jobs over. One that starts now waits longer than it takes to notice it and end the attempts."""
        half = self._times.beat / 2
        while not self._stopping.wait(half):
            # Where the folder of the owners or the journal cannot be read nothing is known.
            with contextlib.suppress(OSError, JournalUnavailable), self._connection():
                while not self._stopping.wait(half):
                    now = self._clock()
                    if self._held and not self._failed and self._alone():
                        self.extend(now)

    def _connection(self) -> contextlib.AbstractContextManager[None]:
        """One for this thread, where it reads the journal, so that it never waits for another's."""
        return contextlib.nullcontext() if self._ownership.all_here else self._queue.own_connection()

    def _alone(self) -> bool:
        """Whether no other service uses the journal. Raises OSError, JournalUnavailable."""
        if self._ownership.all_here:
            return self._ownership.alone()
        ages = self._all.of(self._queue.owners())
        ages.pop(self._ownership.owner, None)
        for owner in [owner for owner, age in ages.items() if age > self._times.gone]:
            self._queue.forget(owner)
            del ages[owner]
        return all(self._ownership.dead(owner) for owner in ages)


class BeatAges:
    """How old the newest beat of each service is, as this process has observed it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[int, float]] = {}  # the last count of each service, and when it was first seen

    def of(self, beats: Mapping[str, int]) -> dict[str, float]:
        """The age of each service's newest beat in seconds, from how often each has beaten; 0 for one that is new."""
        now = self._clock()
        self._seen = {
            owner: self._seen[owner] if self._seen.get(owner, (None,))[0] == beat else (beat, now)
            for owner, beat in beats.items()
        }
        return {owner: now - since for owner, (_, since) in self._seen.items()}
