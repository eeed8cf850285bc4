"""The runner: gives queued jobs to trainers, writes down what they report, and takes note of how they end.

One thread does it all, over one selector, so nothing here needs a lock.
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

from service.jobs.errors import AttemptSuperseded, JobNotFound, JournalUnavailable
from service.jobs.job import Job, Status
from service.jobs.journal import Journal
from service.jobs.ownership import Ownership
from service.jobs.running import Running
from service.jobs.trainers import Trainers

TICK = 0.5  # seconds between looks at what other processes may have asked for
BETWEEN_RESTARTS = 1.0  # seconds before a trainer server that died is started again
MOST_BETWEEN_RESTARTS = 60.0  # the same when it has died again and again before it was ready
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
WAKER, TRAINERS = 0, 1  # what the selector hears besides the attempts, which have their tickets

log = logging.getLogger(__name__)


class Runner:
    """Runs the journal's jobs in `slots` processes at a time.

    Args:
        journal: where the jobs are.
        ownership: this service's name among those that share the journal.
        entry: dotted name `package.module:function` of the work; it is loaded in the trainers, never here.
        preload: modules that the trainer server loads beforehand.
        temporary: a folder for what an attempt leaves lying about.
        slots: how many attempts may run at a time.
        surroundings: what every attempt is told besides its job.
        forks: whether attempts are forked from the trainer server; elsewhere than on Linux that is not safe.
    """

    def __init__(
        self,
        journal: Journal,
        ownership: Ownership,
        *,
        entry: str,
        preload: list[str],
        temporary: Path,
        slots: int,
        surroundings: dict[str, Any],
        forks: bool = sys.platform == "linux",
    ) -> None:
        self._journal = journal
        self._owner = ownership.owner
        self._alive = ownership.alive
        self._start_trainers = partial(Trainers, entry, preload, temporary, forks=forks)
        self._temporary = temporary
        self._slots = slots
        self._surroundings = surroundings
        self._running: dict[int, Running] = {}
        self._tickets = itertools.count(TRAINERS + 1)
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()
        self._trainers: Trainers | None = None
        self._restart_at = 0.0
        self._patience = BETWEEN_RESTARTS
        self._stopping = False
        self._thread = threading.Thread(target=self._loop, name="runner", daemon=True)

    def start(self) -> None:
        """Starts the trainer server and begins with the jobs that wait."""
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, WAKER)
        self._sweep()
        self._launch()  # from the thread that lives as long as the process: the trainers die with it
        self._thread.start()

    def wake(self) -> None:
        """There may be something to do. From any thread."""
        with contextlib.suppress(OSError):  # it is full of calls already, or the runner has stopped
            self._waker.send(b"!")

    def stop(self) -> None:
        """Ends the trainers and puts their jobs back into the queue."""
        self._stopping = True
        self.wake()
        self._thread.join()
        if self._trainers is not None:
            self._trainers.close()
        for running in self._running.values():
            running.lines.close()
            shutil.rmtree(running.folder, ignore_errors=True)
        try:
            self._journal.release(self._owner, "the service was stopped; the job waits for its next start")
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
    def trainer_pid(self) -> int | None:
        """The trainer server's process id, while there is one."""
        trainers = self._trainers
        return None if trainers is None else trainers.pid

    def _loop(self) -> None:
        looked = 0.0
        while not self._stopping:
            try:
                for key, _ in self._selector.select(TICK):
                    self._hear(key.data)
                if time.monotonic() - looked >= TICK:
                    looked = time.monotonic()
                    self._look_around()
                self._fill_slots()
            except JournalUnavailable as error:  # a full disk or a locked database passes
                log.warning("the runner waits for the journal: %s", error.__cause__ or error)
                time.sleep(TICK)
            except Exception:
                log.exception("the runner met an error and goes on")
                time.sleep(TICK)

    # What comes in

    def _hear(self, ticket: int) -> None:
        if ticket == WAKER:
            with contextlib.suppress(BlockingIOError):
                while self._woken.recv(4096):
                    pass
            if self._running:
                self._heed_requests(self._journal.running(self._owner))
        elif ticket == TRAINERS:
            self._hear_trainers()
        else:
            self._hear_attempt(ticket)

    def _hear_trainers(self) -> None:
        assert self._trainers is not None  # noqa: S101 - it has just spoken
        ended = self._trainers.hear()
        if ended is None:
            self._lose_trainers(self._trainers)
            return
        for ticket, status in ended:
            self._running[ticket].status = status
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

    def _look_around(self) -> None:
        """What no message tells: requests made through another process, dead services, a trainer server to restart."""
        if self._trainers is None and time.monotonic() >= self._restart_at:
            self._restart_at = time.monotonic() + self._patience
            self._launch()
        ours = self._journal.running(self._owner)
        self._heed_requests(ours)
        known = {running.job.id for running in self._running.values()}
        for job in ours:
            if job.id not in known:  # an error came between the claim and its beginning
                self._give_back(job, "the attempt could not be started")
        for ticket in list(self._running):
            self._advance(ticket)  # what could not be written down before
        for owner in self._journal.owners() - {self._owner}:
            if not self._alive(owner):
                for job in self._journal.release(owner, "the service that ran it ended; it starts again"):
                    shutil.rmtree(self._folder(job), ignore_errors=True)

    def _heed_requests(self, ours: list[Job]) -> None:
        wanted = {job.id for job in ours if job.requested == "cancel"}
        for ticket, running in self._running.items():
            if running.job.id in wanted and not running.killed:
                self._kill(ticket)

    # Attempts, from their beginning to their end

    def _fill_slots(self) -> None:
        while self.ready and len(self._running) < self._slots and not self._stopping:
            job = self._journal.claim(self._owner)
            if job is None:
                return
            self._begin(job)

    def _begin(self, job: Job) -> None:
        assert self._trainers is not None  # noqa: S101 - ready says so
        folder, ticket = self._folder(job), next(self._tickets)
        about = {"id": job.id, "spec": job.spec, "context": job.context, "attempt": job.attempt}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "job.json").write_bytes(orjson.dumps(self._surroundings | about | {"folder": str(folder)}))
            lines = self._trainers.start_attempt(ticket, folder / "job.json")
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            if error.errno not in NO_SPACE:
                self._give_back(job, "the attempt could not be started")
                raise  # so that a while passes before the next try
            no_space = {"code": "no_space", "detail": "no space is left to train in"}
            self._journal.finish(job, Status.FAILED, error=no_space)
            return
        self._running[ticket] = Running(job, lines, folder)
        self._selector.register(lines.socket, selectors.EVENT_READ, ticket)

    def _advance(self, ticket: int) -> None:
        """Writes down what an attempt has said and, once it is over, moves its job on.

        Raises:
            JournalUnavailable: not now; nothing is lost, and the next call goes on from there.
        """
        running = self._running[ticket]
        while running.unheeded:
            try:
                self._write_down(running, running.unheeded[0])
            except JournalUnavailable:
                raise
            except AttemptSuperseded:
                self._kill(ticket)
            except Exception:
                log.exception("job %s said what cannot be written down; its attempt is ended", running.job.id)
                self._kill(ticket)
            running.unheeded.popleft()
        if not running.over:
            return
        try:
            self._conclude(running)
        except AttemptSuperseded:
            log.warning("job %s had moved on before its attempt %d ended", running.job.id, running.job.attempt)
        del self._running[ticket]
        running.lines.close()
        shutil.rmtree(running.folder, ignore_errors=True)

    def _write_down(self, running: Running, message: dict[str, Any]) -> None:
        if "series" in message:
            series = message["series"]
            latest = {name: values[-1] for name, values in series.items() if name != "epoch"}
            self._journal.record(running.job, progress=message["progress"], latest=latest, series=series)
        elif "message" in message:
            self._journal.message(running.job, message["message"])
        elif "may_publish" in message:
            allowed = not running.killed and self._journal.may_publish(running.job)
            with contextlib.suppress(OSError):  # it has ended meanwhile, which is heard soon
                running.lines.send({"publish": allowed})
        else:
            running.result, running.error = message.get("result"), message.get("error")

    def _conclude(self, running: Running) -> None:
        if running.result is not None:
            self._journal.finish(running.job, Status.SUCCEEDED, result=running.result)
        elif running.error is not None:
            self._journal.finish(running.job, Status.FAILED, error=running.error)
        else:
            self._journal.crash(running.job, f"the trainer process ended unexpectedly ({running.end})")

    def _give_back(self, job: Job, detail: str) -> None:
        log.warning("job %s goes back into the queue: %s", job.id, detail)
        with contextlib.suppress(AttemptSuperseded):
            self._journal.finish(job, Status.QUEUED, error={"code": "crashed", "detail": detail})

    def _kill(self, ticket: int) -> None:
        self._running[ticket].killed = True
        if self._trainers is not None:
            self._trainers.kill(ticket)

    def _folder(self, job: Job) -> Path:
        return self._temporary / "attempts" / f"{job.id}-{job.attempt}"

    def _sweep(self) -> None:
        """Removes what attempts have left whose service could not."""
        self._temporary.mkdir(parents=True, exist_ok=True)
        for folder in self._temporary.glob("attempts/*-*"):
            try:
                job = self._journal.get(folder.name.partition("-")[0])
            except JobNotFound:
                job = None
            if job is None or job.status is not Status.RUNNING or folder != self._folder(job):
                shutil.rmtree(folder, ignore_errors=True)

    # The trainer server

    def _launch(self) -> None:
        self._trainers = self._start_trainers()
        self._selector.register(self._trainers.lines.socket, selectors.EVENT_READ, TRAINERS)

    def _lose_trainers(self, lost: Trainers) -> None:
        """The trainer server is gone, and its children with it. What they said before is still to be heard."""
        self._trainers = None
        self._selector.unregister(lost.lines.socket)
        status = lost.close()
        # One that cannot even load, perhaps for want of memory, is tried more and more seldom.
        self._patience = BETWEEN_RESTARTS if lost.ready else min(2 * self._patience, MOST_BETWEEN_RESTARTS)
        self._restart_at = time.monotonic() + self._patience
        log.error("the trainer server ended (status %d); a new one is started in %.0f s", status, self._patience)
        for running in self._running.values():
            if running.status is None:
                running.status = -signal.SIGKILL
        for ticket in list(self._running):
            self._advance(ticket)
