"""The runner: gives queued jobs to trainers, writes down what they report, and takes note of how they end.

One thread does it all, over one selector, so nothing here needs a lock. Only the signs of life come from others.
"""

import contextlib
import errno
import itertools
import logging
import selectors
import shutil
import signal
import socket
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from service.jobs.attempt_messages import conclude, give_back, stopped, write_down
from service.jobs.errors import AttemptSuperseded, JournalUnavailable
from service.jobs.job import Job
from service.jobs.job_queue import Dispatch
from service.jobs.leases import Leases
from service.jobs.limits import AttemptLimits
from service.jobs.output import Output
from service.jobs.ownership import Ownership
from service.jobs.running_attempt import Running
from service.jobs.trainer_server import FENCED
from service.jobs.trainers import Trainers

TICK = 0.5  # seconds between looks at what other processes may have asked for
GRACE = 8.0  # seconds in which attempts may save where they stand when the service stops
BETWEEN_RESTARTS = 1.0  # seconds before a trainer server that died is started again
MOST_BETWEEN_RESTARTS = 60.0  # the same when it has died again and again before it was ready
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)

log = logging.getLogger(__name__)


class Runner:
    """Runs the journal's jobs in `slots` processes at a time.

    Args:
        dispatch: where the jobs are.
        ownership: this service's name among those that share the journal.
        entry: dotted name `package.module:function` of the work; it is loaded in the trainers, never here.
        preload: modules that the trainer server loads beforehand.
        temporary: a folder for what an attempt leaves lying about.
        checkpoints: where each job has a folder for its checkpoints, until it has ended.
        slots: how many attempts may run at a time.
        limits: what each may take.
        surroundings: what every attempt is told besides its job.
        forks: whether attempts are forked from the trainer server; elsewhere than on Linux that is not safe.
    """

    def __init__(
        self,
        dispatch: Dispatch,
        ownership: Ownership,
        *,
        entry: str,
        preload: list[str],
        temporary: Path,
        checkpoints: Path,
        slots: int,
        surroundings: dict[str, Any],
        limits: AttemptLimits = AttemptLimits(),  # noqa: B008 - frozen
        forks: bool = sys.platform == "linux",
    ) -> None:
        self._dispatch = dispatch
        self._ownership = ownership
        self._owner = ownership.owner
        self._leases = Leases(dispatch, ownership, self._live_until)
        self._start_trainers = partial(Trainers, entry, preload, temporary, forks=forks)
        self._temporary = temporary
        self._checkpoints = checkpoints
        self._slots = slots
        self._limits = limits
        self._surroundings = surroundings
        self._running: dict[int, Running] = {}
        self._tickets = itertools.count(1)
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()
        self._trainers: Trainers | None = None
        self._restart_at = 0.0
        self._patience = BETWEEN_RESTARTS
        self._leave_by: float | None = None  # set once the service stops
        self._stopping = False
        self.fenced = 0  # attempts that were ended because this service could not say that it lives
        self._thread = threading.Thread(target=self._loop, name="runner", daemon=True)

    def start(self) -> None:
        """Starts the trainer server and begins with the jobs that wait."""
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, self._hear_waker)
        for job in self._leases.take_over():
            shutil.rmtree(self._folder(job), ignore_errors=True)
        self._launch()  # from the thread that lives as long as the process: the trainers die with it
        self._leases.start()
        self._thread.start()

    def wake(self) -> None:
        """There may be something to do. From any thread."""
        with contextlib.suppress(OSError):  # it is full of calls already, or the runner has stopped
            self._waker.send(b"!")

    def drain(self) -> None:
        """Begins no job any more, and asks those under way to save where they stand. From a signal handler, too."""
        if self._leave_by is None:
            self._leave_by = time.monotonic() + GRACE
        self.wake()

    def stop(self) -> None:
        """Ends the trainers and puts their jobs back into the queue."""
        self.drain()
        self._stopping = True
        self.wake()
        self._thread.join()
        self._leases.stop()
        if self._trainers is not None:
            self._trainers.close()
        for running in self._running.values():
            running.close()
        try:
            self._dispatch.release(self._owner, stopped("the service was stopped; the job waits for its next start"))
        except JournalUnavailable:
            log.warning("the jobs under way could not be put back into the queue; the next start does it")
        self._selector.close()
        self._woken.close()
        self._waker.close()

    @property
    def ready(self) -> bool:
        """Whether the trainer server has loaded what it needs."""
        trainers = self._trainers  # looked at once: another thread may lose it at any moment
        return trainers is not None and trainers.ready

    @property
    def busy(self) -> int:
        """How many slots are in use."""
        return len(self._running)

    @property
    def trainer_pid(self) -> int | None:
        """The trainer server's process id, while there is one."""
        trainers = self._trainers
        return None if trainers is None else trainers.pid

    def _loop(self) -> None:
        looked = 0.0
        while not self._done():
            try:
                with contextlib.ExitStack() as heard:  # all of them, also when one cannot be written down
                    for key, _ in self._selector.select(TICK):
                        heard.callback(self._hear, key)
                if time.monotonic() - looked >= TICK:
                    looked = time.monotonic()
                    self._look_around()
                self._fill_slots()
                self._leases.hold(bool(self._running))
            except JournalUnavailable as error:  # a full disk or a locked database passes
                log.warning("the runner waits for the journal: %s", error.__cause__ or error)
                self._hold_to_limits()  # whoever has filled the disk, say
                time.sleep(TICK)
            except Exception:
                log.exception("the runner met an error and goes on")
                time.sleep(TICK)

    def _done(self) -> bool:
        over = self._leave_by is not None and (not self._running or time.monotonic() > self._leave_by)
        return self._stopping and over

    # What comes in

    def _hear(self, key: selectors.SelectorKey) -> None:
        if self._selector.get_map().get(key.fd) is key:  # one heard before it may have ended it
            key.data()

    def _hear_waker(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass
        if self._running:
            self._heed_requests(self._dispatch.running(self._owner))

    def _hear_trainers(self) -> None:
        assert self._trainers is not None  # noqa: S101 - it has just spoken
        ended = self._trainers.hear()
        if ended is None:
            self._lose_trainers(self._trainers)
            return
        for ticket, status in ended:
            self._running[ticket].status = status
            self._hear_rest(self._running[ticket])
        for ticket, _ in ended:
            self._advance(ticket)

    def _hear_attempt(self, ticket: int) -> None:
        running = self._running[ticket]
        if not running.unheeded:  # else the journal could not be written: what comes now waits in the socket
            messages = running.lines.receive()
            if messages is None:
                self._selector.unregister(running.lines.socket)
                running.open = False
            else:
                running.unheeded.extend(messages)
        self._advance(ticket)

    def _hear_rest(self, running: Running) -> None:
        """What the socket of an attempt that has ended still holds is all: some child of it may hold the other end."""
        if running.open:
            running.unheeded.extend(running.lines.rest())
            self._selector.unregister(running.lines.socket)
            running.open = False

    def _hear_trainers_output(self, output: Output) -> None:
        if not output.read():
            self._selector.unregister(output.descriptor)

    def _hear_output(self, running: Running) -> None:
        if not running.output.read():
            self._selector.unregister(running.output.descriptor)
            running.prints = False

    # What no message tells

    def _live_until(self, moment: float) -> None:
        """The attempts may go on until then. From any thread."""
        trainers = self._trainers  # looked at once: another thread may lose it at any moment
        if trainers is not None:
            with contextlib.suppress(OSError):  # it is gone, which is heard soon
                trainers.live_until(moment)

    def _look_around(self) -> None:
        """Requests made through another process, attempts past their limits, dead services, a trainer server to restart."""
        if self._trainers is not None and self._trainers.stands_still():
            log.error("the trainer server has stood still, and is replaced")
            self._lose_trainers(self._trainers)
        if self._trainers is None and time.monotonic() >= self._restart_at:
            self._restart_at = time.monotonic() + self._patience
            self._launch()
        ours = self._dispatch.running(self._owner)
        self._heed_requests(ours)
        known = {running.job.id for running in self._running.values()}
        for job in ours:
            if job.id not in known:  # an error came between the claim and its beginning
                give_back(self._dispatch, job, "the attempt could not be started")
        self._hold_to_limits()
        for ticket in list(self._running):
            self._advance(ticket)  # what could not be written down before
        for job in self._leases.take_over():
            shutil.rmtree(self._folder(job), ignore_errors=True)

    def _heed_requests(self, ours: list[Job]) -> None:
        asked = {(job.id, job.attempt): job.requested for job in ours}
        for ticket, running in self._running.items():
            job = (running.job.id, running.job.attempt)
            if job not in asked or asked[job] == "cancel":  # lost to another service, or not wanted any more
                self._kill(ticket)
            elif asked[job] == "pause" or self._leave_by is not None:
                running.ask_to_leave()

    def _hold_to_limits(self) -> None:
        for ticket in self._limits.exceeded(self._running, {} if self._trainers is None else self._trainers.pids):
            self._kill(ticket)

    # Attempts, from their beginning to their end

    def _fill_slots(self) -> None:
        while self.ready and len(self._running) < self._slots and self._leave_by is None:
            if any(running.job.suspect for running in self._running.values()):
                return  # it runs alone
            now = time.monotonic()
            job = self._dispatch.claim(self._owner, alone=not self._running)
            if job is None:
                return
            self._leases.extend(now)  # a claim is a beat; before it begins: this is how long it may live
            self._leases.hold(True)
            self._begin(job)

    def _begin(self, job: Job) -> None:
        assert self._trainers is not None  # noqa: S101 - ready says so
        folder, ticket = self._folder(job), next(self._tickets)
        about = {"id": job.id, "spec": job.spec, "context": job.context, "attempt": job.attempt}
        about |= {"folder": str(folder), "checkpoints": str(self._checkpoints / job.id)}
        about |= {"saves_soon": job.fenced > 0}  # so that it gets further, should it be fenced again
        about |= {"reported": job.progress.get("epoch", 0)}  # the epoch up to which its metrics are in the journal
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "job.json").write_bytes(orjson.dumps(self._surroundings | about))
            lines, output = self._trainers.start_attempt(ticket, folder / "job.json")
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            if error.errno not in NO_SPACE:
                give_back(self._dispatch, job, "the attempt could not be started")
                raise  # so that a while passes before the next try
            no_space = {"code": "no_space", "detail": "no space is left to train in"}
            self._dispatch.put_off(job, no_space)
            return
        running = self._running[ticket] = Running(job, lines, Output(output, job.id), folder)
        self._selector.register(lines.socket, selectors.EVENT_READ, partial(self._hear_attempt, ticket))
        self._selector.register(output, selectors.EVENT_READ, partial(self._hear_output, running))

    def _advance(self, ticket: int) -> None:
        """Writes down what an attempt has said and, once it is over, moves its job on.

        Raises:
            JournalUnavailable: not now; nothing is lost, and the next call goes on from there.
        """
        running = self._running.get(ticket)
        if running is None:
            return
        if running.over:  # before anything is written: where the disk is full, these files are in the journal's way
            shutil.rmtree(running.folder, ignore_errors=True)
        if running.unheeded:
            try:
                write_down(self._dispatch, running, running.unheeded)
            except JournalUnavailable:
                raise
            except Exception:  # something is wrong with one of them
                self._write_down_each(ticket, running)
            running.unheeded.clear()
        if running.over:
            self._end(ticket, running)

    def _write_down_each(self, ticket: int, running: Running) -> None:
        while running.unheeded:
            try:
                write_down(self._dispatch, running, [running.unheeded[0]])
            except JournalUnavailable:
                raise
            except AttemptSuperseded:
                self._kill(ticket)
            except Exception:
                said = "job %s said what cannot be written down; its attempt is ended"
                log.exception(said, running.job.id, extra={"job_id": running.job.id})
                self._kill(ticket)
            running.unheeded.popleft()

    def _end(self, ticket: int, running: Running) -> None:
        about = {"job_id": running.job.id}
        if running.status == FENCED:
            self.fenced += 1
            log.error("job %s lost its attempt: this service could not say that it lives", running.job.id, extra=about)
        try:
            job = conclude(self._dispatch, running)
        except AttemptSuperseded:
            log.warning(
                "job %s had moved on before its attempt %d ended", running.job.id, running.job.attempt, extra=about
            )
        else:
            if job.final and not job.resumable:
                shutil.rmtree(self._checkpoints / job.id, ignore_errors=True)
        del self._running[ticket]
        if running.prints:
            self._selector.unregister(running.output.descriptor)
        running.close()

    def _kill(self, ticket: int) -> None:
        running = self._running[ticket]
        if not running.killed:
            running.killed = True
            if self._trainers is not None:
                self._trainers.kill(ticket)

    def _folder(self, job: Job) -> Path:
        return self._temporary / "attempts" / f"{job.id}-{job.attempt}"

    # The trainer server

    def _launch(self) -> None:
        self._trainers = self._start_trainers()
        self._selector.register(self._trainers.lines.socket, selectors.EVENT_READ, self._hear_trainers)
        output = self._trainers.output
        self._selector.register(output.descriptor, selectors.EVENT_READ, partial(self._hear_trainers_output, output))

    def _lose_trainers(self, lost: Trainers) -> None:
        """The trainer server is gone, and its children with it. What they said before is still to be heard."""
        self._trainers = None
        self._selector.unregister(lost.lines.socket)
        with contextlib.suppress(KeyError):  # its output may have ended before
            self._selector.unregister(lost.output.descriptor)
        status = lost.close()
        # One that cannot even load, perhaps for want of memory, is tried more and more seldom.
        self._patience = BETWEEN_RESTARTS if lost.ready else min(2 * self._patience, MOST_BETWEEN_RESTARTS)
        self._restart_at = time.monotonic() + self._patience
        log.error("the trainer server ended (status %d); a new one is started in %.0f s", status, self._patience)
        suspect = len(self._running) == 1 and all(running.job.suspect for running in self._running.values())
        for running in self._running.values():
            if running.status is None:
                running.status = -signal.SIGKILL
                running.orphaned, running.blamed = True, suspect
            self._hear_rest(running)
        for ticket in list(self._running):
            self._advance(ticket)
