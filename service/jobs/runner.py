"""The runner: gives queued jobs to trainers, writes down what they report, and takes note of how they end.

One thread does it all, over one selector, so nothing here needs a lock.
"""

import contextlib
import errno
import logging
import selectors
import shutil
import socket
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from service.jobs.errors import AttemptSuperseded
from service.jobs.job import Job, Status
from service.jobs.journal import Journal
from service.jobs.lines import Lines
from service.jobs.ownership import Ownership
from service.jobs.trainers import Trainers

TICK = 0.5  # seconds between looks at what other processes may have asked for
BETWEEN_RESTARTS = 1.0  # seconds before a trainer server that died is started again
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
TIME_TO_ACCEPT = 10.0  # seconds in which an attempt must have read its job

log = logging.getLogger(__name__)


@dataclass
class Running:
    """An attempt under way."""

    job: Job
    lines: Lines
    open: bool = True  # whether its socket may still say something
    status: int | None = None  # its exit status, once it has ended
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    cancelled: bool = False


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
    ) -> None:
        self._journal = journal
        self._ownership = ownership
        self._start_trainers = partial(Trainers, entry, preload, temporary)
        self._temporary = temporary
        self._slots = slots
        self._surroundings = surroundings
        self._running: dict[int, Running] = {}
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()
        self._trainers: Trainers | None = None
        self._restart_at = 0.0
        self._stopping = False
        self._thread = threading.Thread(target=self._loop, name="runner", daemon=True)

    def start(self) -> None:
        """Starts the trainer server and begins with the jobs that wait."""
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._launch()  # from the thread that lives as long as the process: the trainers die with it
        self._thread.start()

    def wake(self) -> None:
        """There may be something to do. From any thread."""
        with contextlib.suppress(BlockingIOError):
            self._waker.send(b"!")

    def stop(self) -> None:
        """Ends the trainers and puts their jobs back into the queue."""
        self._stopping = True
        self.wake()
        self._thread.join()
        if self._trainers is not None:
            self._trainers.close()
        self._journal.release(self._ownership.owner, "the service was stopped; the job waits for its next start")
        self._selector.close()
        self._woken.close()
        self._waker.close()

    @property
    def ready(self) -> bool:
        """Whether the trainer server has loaded what it needs."""
        return self._trainers is not None and self._trainers.ready

    @property
    def trainer_pid(self) -> int | None:
        """The trainer server's process id, while there is one."""
        return None if self._trainers is None else self._trainers.pid

    def _loop(self) -> None:
        looked = 0.0
        while not self._stopping:
            try:
                for key, _ in self._selector.select(TICK):
                    self._hear(key.data)
                if time.monotonic() - looked >= TICK:
                    self._look_around()
                    looked = time.monotonic()
                self._fill_slots()
            except Exception:
                # A full disk or a locked database must not end the runner: it tries again.
                log.exception("the runner met an error and goes on")
                time.sleep(TICK)

    def _hear(self, ticket: int | None) -> None:
        if ticket is None:
            with contextlib.suppress(BlockingIOError):
                while self._woken.recv(4096):
                    self._heed_requests()
        elif ticket == 0:
            self._hear_trainers()
        elif ticket in self._running:
            self._hear_attempt(ticket, self._running[ticket])

    def _look_around(self) -> None:
        """What no message tells: requests made through another process, dead services, a trainer server to restart."""
        self._heed_requests()
        for ticket in list(self._running):
            self._settle(ticket)  # what could not be written down before
        for owner in self._journal.owners() - {self._ownership.owner}:
            if not self._ownership.alive(owner):
                self._journal.release(owner, "the service that ran it ended; it starts again")
        if self._trainers is None and time.monotonic() >= self._restart_at:
            self._launch()

    def _heed_requests(self) -> None:
        if not self._running or self._trainers is None:
            return
        wanted = {job.id for job in self._journal.running(self._ownership.owner) if job.requested == "cancel"}
        for ticket, running in self._running.items():
            if running.job.id in wanted and not running.cancelled:
                running.cancelled = self._trainers.kill(ticket)

    def _fill_slots(self) -> None:
        while self.ready and len(self._running) < self._slots and not self._stopping:
            job = self._journal.claim(self._ownership.owner)
            if job is None:
                return
            self._begin(job)

    def _begin(self, job: Job) -> None:
        assert self._trainers is not None  # noqa: S101 - ready says so
        folder = self._temporary / job.id
        try:
            folder.mkdir(parents=True, exist_ok=True)
            ticket, lines = self._trainers.start_attempt()
        except OSError as error:
            log.exception("job %s could not be started", job.id)
            if error.errno in NO_SPACE:
                no_space = {"code": "no_space", "detail": "no space is left to train in"}
                self._journal.finish(job, Status.FAILED, error=no_space)
            else:
                self._journal.crash(job, "the trainer server ended before the attempt began")
            return
        self._running[ticket] = Running(job, lines)
        self._selector.register(lines.socket, selectors.EVENT_READ, ticket)
        lines.socket.settimeout(TIME_TO_ACCEPT)
        about = {"id": job.id, "spec": job.spec, "context": job.context, "attempt": job.attempt}
        with contextlib.suppress(OSError):  # an attempt that cannot read its job ends, and its end is heard
            lines.send(self._surroundings | about | {"folder": str(folder)})

    def _hear_attempt(self, ticket: int, running: Running) -> None:
        try:
            messages = running.lines.receive()
        except OSError:
            messages = None
        if messages is None:
            self._selector.unregister(running.lines.socket)
            running.open = False
            self._settle(ticket)
            return
        for message in messages:
            try:
                self._write_down(running, message)
            except AttemptSuperseded:
                running.cancelled = self._trainers is not None and self._trainers.kill(ticket)

    def _write_down(self, running: Running, message: dict[str, Any]) -> None:
        if "series" in message:
            series = message["series"]
            latest = {name: values[-1] for name, values in series.items() if name != "epoch"}
            self._journal.record(running.job, progress=message["progress"], latest=latest, series=series)
        elif "message" in message:
            self._journal.message(running.job, message["message"])
        elif "may_publish" in message:
            with contextlib.suppress(OSError):
                running.lines.send({"publish": self._journal.may_publish(running.job)})
        else:
            running.result, running.error = message.get("result"), message.get("error")

    def _hear_trainers(self) -> None:
        assert self._trainers is not None  # noqa: S101 - it has just spoken
        ended = self._trainers.hear()
        if ended is None:
            self._lose_trainers()
            return
        for ticket, status in ended:
            if ticket in self._running:
                self._running[ticket].status = status
                self._settle(ticket)

    def _lose_trainers(self) -> None:
        """The trainer server is gone, and its children with it."""
        assert self._trainers is not None  # noqa: S101 - it has just been lost
        log.error("the trainer server ended; a new one is started")
        self._selector.unregister(self._trainers.lines.socket)
        self._trainers.close()
        self._trainers = None
        self._restart_at = time.monotonic() + BETWEEN_RESTARTS
        for ticket, running in list(self._running.items()):
            running.status = -9 if running.status is None else running.status
            while running.open:
                self._hear_attempt(ticket, running)

    def _settle(self, ticket: int) -> None:
        """Once an attempt has both ended and said all it had to say, its job moves on."""
        running = self._running[ticket]
        if running.open or running.status is None:
            return
        try:
            self._conclude(running)
        except AttemptSuperseded:
            log.warning("job %s had moved on before its attempt %d ended", running.job.id, running.job.attempt)
        del self._running[ticket]
        running.lines.close()
        shutil.rmtree(self._temporary / running.job.id, ignore_errors=True)

    def _conclude(self, running: Running) -> None:
        job = running.job
        if running.result is not None:
            self._journal.finish(job, Status.SUCCEEDED, result=running.result)
        elif self._journal.get(job.id).requested == "cancel":
            self._journal.finish(job, Status.CANCELLED)
        elif running.error is not None:
            self._journal.finish(job, Status.FAILED, error=running.error)
        else:
            self._journal.crash(job, f"the trainer process ended unexpectedly ({_how(running.status)})")

    def _launch(self) -> None:
        self._trainers = self._start_trainers()
        self._selector.register(self._trainers.lines.socket, selectors.EVENT_READ, 0)


def _how(status: int | None) -> str:
    return f"signal {-status}" if status is not None and status < 0 else f"exit status {status}"
