"""The runner: starts attempts at queued jobs, records what they report, and moves their jobs on when they end.

One thread does all this, so nothing here needs a lock. Leases are kept by other threads (`leases.py`). Where and how attempts
run is the executor's business (`executors/executor.py`).
"""

import contextlib
import errno
import logging
import threading
import time

from service.jobs.attempt_messages import conclude, give_back, record_messages, stopped
from service.jobs.errors import AttemptSuperseded, JournalUnavailable
from service.jobs.executors.executor import AttemptHandle, Executor
from service.jobs.job import Job
from service.jobs.job_queue import JobQueue
from service.jobs.leases import Leases, LeaseTimes
from service.jobs.limits import AttemptLimits
from service.jobs.ownership import Ownership
from service.jobs.running_attempt import RunningAttempt
from service.jobs.store_requests import AttemptStore, StoreRequests

TICK = 0.5  # seconds between checks for requests made through other processes
GRACE = 8.0  # seconds in which attempts may save a checkpoint when the service stops
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)

log = logging.getLogger(__name__)


class Runner:
    """Runs the journal's jobs, `slots` at a time.

    Args:
        queue: where the jobs are.
        ownership: this service's name among those that share the journal.
        executor: runs the attempts; started and closed by the runner.
        store: what they read, and where they publish.
        slots: how many attempts may run at a time.
        limits: what each may use.
        lease: how long other services wait before they take the jobs over, and more such times.
        tick, grace: see the constants.
    """

    def __init__(
        self,
        queue: JobQueue,
        ownership: Ownership,
        executor: Executor,
        store: AttemptStore,
        *,
        slots: int,
        limits: AttemptLimits = AttemptLimits(),  # noqa: B008 - frozen
        lease: LeaseTimes = LeaseTimes(),  # noqa: B008 - frozen
        tick: float = TICK,
        grace: float = GRACE,
    ) -> None:
        self._queue = queue
        self._owner = ownership.owner
        self._leases = Leases(queue, ownership, executor.extend_lease, times=lease)
        self._executor = executor
        self._requests = StoreRequests(store, executor.wake)
        self._slots = slots
        self._limits = limits
        self._tick = tick
        self._grace = grace
        self._running: dict[AttemptHandle, RunningAttempt] = {}
        self._woken = False
        self._leave_by: float | None = None  # set once the service stops
        self._stopping = False
        self.fenced = 0  # attempts that were ended because their lease expired
        self._thread = threading.Thread(target=self._loop, name="runner", daemon=True)

    def start(self) -> None:
        """Starts the executor and the jobs that wait. From a thread that lives as long as the process."""
        self._take_over()
        self._executor.start()
        self._leases.start()
        self._thread.start()

    def wake(self) -> None:
        """Checks for jobs to start. From any thread and from signal handlers."""
        self._woken = True
        self._executor.wake()

    def drain(self) -> None:
        """Starts no more jobs, and asks running attempts to save a checkpoint and end. From a signal handler, too."""
        if self._leave_by is None:
            self._leave_by = time.monotonic() + self._grace
        self.wake()

    def stop(self) -> None:
        """Ends all attempts and puts their jobs back into the queue."""
        self.drain()
        self._stopping = True
        self.wake()
        self._thread.join()
        self._leases.stop()
        self._executor.close()
        for handle in self._running:
            handle.close()
        try:
            self._queue.release(self._owner, stopped("the service was stopped; the job waits for its next start"))
        except JournalUnavailable:
            log.warning("the jobs under way could not be put back into the queue; the next start does it")

    @property
    def ready(self) -> bool:
        """Whether attempts can be started."""
        return self._executor.ready

    @property
    def busy(self) -> int:
        """How many slots are in use."""
        return len(self._running)

    def _loop(self) -> None:
        checked = 0.0
        while not self._done():
            try:
                with contextlib.ExitStack() as stack:  # all of them, also when one cannot be recorded
                    for handle in self._executor.wait(self._tick):
                        stack.callback(self._advance, handle)
                self._answer_requests()
                if self._woken:
                    self._woken = False
                    if self._running:
                        self._apply_requests(self._queue.running(self._owner))
                if time.monotonic() - checked >= self._tick:
                    checked = time.monotonic()
                    self._check()
                self._fill_slots()
                self._leases.hold(bool(self._running))
            except JournalUnavailable as error:  # a full disk or a locked database passes
                log.warning("the runner waits for the journal: %s", error.__cause__ or error)
                self._enforce_limits()  # an attempt may have filled the disk
                time.sleep(self._tick)
            except ConnectionError:  # what runs attempts has ended just now, which `wait` will find
                time.sleep(self._tick)
            except Exception:
                log.exception("an error in the runner, which continues")
                time.sleep(self._tick)

    def _done(self) -> bool:
        over = self._leave_by is not None and (not self._running or time.monotonic() > self._leave_by)
        return self._stopping and over

    # What no attempt reports

    def _check(self) -> None:
        """Checks for requests made through other processes, attempts past their limits, and services that have ended."""
        ours = self._queue.running(self._owner)
        self._apply_requests(ours)
        known = {running.job.id for running in self._running.values()}
        for job in ours:
            if job.id not in known:  # an error came between the claim and its start
                give_back(self._queue, job, "the attempt could not be started")
        self._enforce_limits()
        for handle in list(self._running):
            self._advance(handle)  # what could not be recorded before
        self._take_over()

    def _apply_requests(self, ours: list[Job]) -> None:
        requested = {(job.id, job.attempt): job.requested for job in ours}
        for running in self._running.values():
            job = (running.job.id, running.job.attempt)
            if job not in requested or requested[job] == "cancel":  # lost to another service, or cancelled
                running.kill()
            elif requested[job] == "pause" or self._leave_by is not None:
                running.ask_to_leave()

    def _enforce_limits(self) -> None:
        for running in self._running.values():
            if not running.killed and running.result is None and self._limits.exceeded(running):
                running.kill()

    def _take_over(self) -> None:
        for job in self._leases.take_over():
            self._executor.abandon(job.id, job.attempt)

    # Attempts, from start to end

    def _fill_slots(self) -> None:
        while self.ready and len(self._running) < self._slots and self._leave_by is None:
            if any(running.job.suspect for running in self._running.values()):
                return  # it runs alone
            now = time.monotonic()
            job = self._queue.claim(self._owner, alone=not self._running)
            if job is None:
                return
            self._leases.extend(now)  # a claim is a beat; before the attempt starts, so that it has a lease
            self._leases.hold(True)
            self._start_attempt(job)

    def _start_attempt(self, job: Job) -> None:
        description = {
            "id": job.id,
            "spec": job.spec,
            "context": job.context,
            "attempt": job.attempt,
            "saves_soon": job.fenced > 0,  # so that it gets further, should it be fenced again
            "reported": job.progress.get("epoch", 0),  # the journal has its metrics up to this epoch
        }
        try:
            handle = self._executor.start_attempt(description)
        except OSError as error:
            if error.errno not in NO_SPACE:
                give_back(self._queue, job, "the attempt could not be started")
                raise  # so that the next try comes after a tick
            self._queue.put_off(job, {"code": "no_space", "detail": "no space is left to train in"})
        else:
            self._running[handle] = RunningAttempt(job, handle)

    def _advance(self, handle: AttemptHandle) -> None:
        """Records what an attempt has reported and, once it has ended, moves its job on.

        Raises:
            JournalUnavailable: nothing is lost, and the next call continues from there.
        """
        running = self._running.get(handle)
        if running is None:
            return
        ended = handle.exit is not None
        if ended or not running.pending:  # else the journal is unavailable, and what comes now waits in the channel
            running.pending.extend(handle.receive())
        if ended and not running.publishing:
            handle.close()  # first: where the disk is full, its files are in the journal's way
        if running.pending:
            try:
                record_messages(self._queue, running, running.pending, self._requests)
            except JournalUnavailable:
                raise
            except Exception:  # one of them is wrong
                self._record_each(running)
            running.pending.clear()
        if ended and not running.publishing:  # it may have published, although it did not live to report it
            self._conclude(running)

    def _answer_requests(self) -> None:
        for running, answer in self._requests.answers():
            running.requesting = False
            if running.publishing:
                running.publishing = False
                running.result = answer.get("answer")
            if running.handle in self._running:
                running.handle.answer(answer)
            else:  # it ended while its files were fetched
                running.files.close()

    def _record_each(self, running: RunningAttempt) -> None:
        while running.pending:
            try:
                record_messages(self._queue, running, [running.pending[0]], self._requests)
            except JournalUnavailable:
                raise
            except AttemptSuperseded:
                running.kill()
            except Exception:
                said = "job %s said what cannot be written down; its attempt is ended"
                log.exception(said, running.job.id, extra={"job_id": running.job.id})
                running.kill()
            running.pending.popleft()

    def _conclude(self, running: RunningAttempt) -> None:
        job_id, extra = running.job.id, {"job_id": running.job.id}
        if running.handle.exit is not None and running.handle.exit.reason == "fenced":
            self.fenced += 1
            log.error("job %s lost its attempt: this service could not write its heartbeat", job_id, extra=extra)
        try:
            job = conclude(self._queue, running)
        except AttemptSuperseded:
            log.warning("job %s had moved on before its attempt %d ended", job_id, running.job.attempt, extra=extra)
        else:
            if job.final and not job.resumable:
                self._executor.discard_checkpoints(job_id)
        del self._running[running.handle]
        if not running.requesting:
            running.files.close()
