"""Leases: a service that runs jobs says again and again that it lives. One whose beats stop loses them.

Only clocks of one machine are compared, and only those that never jump: a service counts how long *it* has not seen
another's beat change. Its own attempts end before another may begin them (Gray and Cheriton, "Leases", SOSP 1989).
The signs of life come from threads that do nothing else, so that no amount of work delays them.

Where a journal can be reached from elsewhere, every service beats, also one that runs nothing, and takes nothing over before
it has been seen for EXPIRED seconds. So one that sees nobody else is alone for at least as long.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable

from service.jobs.beat_ages import BeatAges
from service.jobs.errors import JournalUnavailable
from service.jobs.job import Job
from service.jobs.job_queue import Dispatch
from service.jobs.ownership import Ownership

BEAT = 1.0  # seconds between two signs of life
ALLOWED = 5.0  # seconds that attempts may go on after the last one
EXPIRED = 8.0  # seconds without a beat after which another service takes over
IDLE_BEAT = 5.0  # seconds between two signs of life of one that runs nothing, where others may be elsewhere
LAPSED = 20.0  # seconds after a beat of its own in which a service there may still take over
GONE = 40.0  # seconds without a beat after which nobody counts on another there any more

log = logging.getLogger(__name__)


class Leases:
    """This service's lease on its jobs, and its view of those of others.

    Args:
        dispatch: where the beats are written.
        ownership: this service's name, and what is known of others.
        told: called with the moment until which attempts may go on, by the monotonic clock, from a thread of its own.
    """

    def __init__(self, dispatch: Dispatch, ownership: Ownership, told: Callable[[float], None]) -> None:
        self._dispatch = dispatch
        self._ownership = ownership
        self._told = told
        self._until = float("-inf")
        self._lock = threading.Lock()  # around `_until`, and around telling it: what is told never falls
        self._held = False  # whether this service runs anything
        self._failed = False  # whether the last beat could not be written
        self._stopping = threading.Event()
        self._running, self._there = BeatAges(), BeatAges()  # of the services that run jobs, and of all
        self._beaten = float("-inf")  # the last beat
        # Since when whoever looks has seen this service.
        self._known_since = float("-inf") if ownership.all_here else float("inf")
        self._threads = [
            threading.Thread(target=each, name=name, daemon=True)
            for name, each in (("beats", self._beat), ("lease", self._extend))
        ]

    def start(self) -> None:
        """Begins to say that this service lives, whenever it runs something."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Says no more. A beat that the journal keeps waiting is not waited for."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(BEAT)

    def hold(self, held: bool) -> None:
        """Whether this service runs anything: one that does not writes nothing."""
        self._held = held

    def extend(self, since: float) -> None:
        """Others have seen this service alive at that moment or later, so its attempts may go on until somewhat later."""
        with self._lock:
            self._until = max(self._until, since + ALLOWED)
            self._told(self._until)

    def expired(self) -> list[str]:
        """The services that run jobs and are dead, or have not beaten for too long."""
        ages = self._running.of(self._dispatch.beats())
        ages.pop(self._ownership.owner, None)
        known = time.monotonic() - self._known_since > EXPIRED
        if not self._ownership.all_here:
            known = known and time.monotonic() - self._beaten <= LAPSED
        return [owner for owner, age in ages.items() if (known and age > EXPIRED) or self._ownership.dead(owner)]

    def take_over(self) -> list[Job]:
        """Puts the jobs of services that are gone back into the queue, and gives them."""
        lost = {"code": "lease_lost", "detail": "the service that ran it is gone; the job goes on elsewhere"}
        dead = [owner for owner in self._ownership.others() if self._ownership.dead(owner)]
        taken: list[Job] = []
        for owner in self.expired():
            log.warning("service %s is gone; its jobs go back into the queue", owner)
            # One whose beats have only stopped may come back, and take over in its turn: it counts until it cannot any more.
            certain = self._ownership.all_here or self._ownership.dead(owner)
            taken += self._dispatch.release(owner, lost, forget=certain)
        for owner in dead:
            if not self._dispatch.running(owner):
                self._dispatch.forget(owner)  # first: without its file nobody knows that it is dead
                self._ownership.forget(owner)
        return taken

    def _beat(self) -> None:
        """The thread that writes the beats, over a connection of its own."""
        while not self._stopping.is_set():
            try:
                with self._dispatch.own_connection():
                    while not self._stopping.wait(BEAT):
                        self._beat_once()
            except JournalUnavailable as error:
                if not self._failed:
                    log.warning("this service cannot say that it lives: %s", error.__cause__ or error)
                self._failed = True
                self._stopping.wait(BEAT)
            except Exception:
                log.exception("the beats of this service met an error and go on")
                self._failed = True
                self._stopping.wait(BEAT)

    def _beat_once(self) -> None:
        now = time.monotonic()  # the moment before: others may see the beat at once
        if self._held or (not self._ownership.all_here and now - self._beaten >= IDLE_BEAT):
            self._dispatch.beat(self._ownership.owner)
            if not self._ownership.all_here and now - self._beaten > LAPSED:
                self._known_since = time.monotonic()
            self._beaten = now
            self.extend(now)
        self._failed = False

    def _extend(self) -> None:
        """The thread that lets attempts go on while a beat is under way, as long as nobody is there who could take their
        jobs over. One who comes later waits for longer than he is not noticed and they still go on."""
        while not self._stopping.wait(BEAT / 2):
            # The folder of the owners cannot be read, or the journal: then nothing is known.
            with contextlib.suppress(OSError, JournalUnavailable), self._connection():
                while not self._stopping.wait(BEAT / 2):
                    now = time.monotonic()
                    if self._held and not self._failed and self._alone():
                        self.extend(now)

    def _connection(self) -> contextlib.AbstractContextManager[None]:
        """One for this thread, where it asks the journal: so that it never waits for another's."""
        return contextlib.nullcontext() if self._ownership.all_here else self._dispatch.own_connection()

    def _alone(self) -> bool:
        """Whether no other service is on the journal. Raises OSError, JournalUnavailable."""
        if self._ownership.all_here:
            return self._ownership.alone()
        ages = self._there.of(self._dispatch.owners())
        ages.pop(self._ownership.owner, None)
        for owner in [owner for owner, age in ages.items() if age > GONE]:
            self._dispatch.forget(owner)
            del ages[owner]
        return all(self._ownership.dead(owner) for owner in ages)
