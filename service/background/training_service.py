"""The runner, webhooks and housekeeping of a service, which run once however many processes it has. Loads neither torch nor
FastAPI, which only trainers and routes need."""

import asyncio
import contextlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine

from model_store import Store
from service.access.audit import Audit
from service.jobs.database import open_database
from service.jobs.executors.local.executor import LocalExecutor
from service.jobs.housekeeping import Housekeeping
from service.jobs.job import Job
from service.jobs.job_queue import JobQueue
from service.jobs.journal import Journal
from service.jobs.limits import AttemptLimits, memory_there_is
from service.jobs.ownership import Ownership
from service.jobs.runner import Runner
from service.jobs.signing import Signer
from service.jobs.sweep_steps import SweepSteps
from service.jobs.webhook_allowlist import WebhookAllowlist
from service.opening import check, journal_url, remember
from service.settings import Settings
from service.signatures.signatures import Signatures
from service.telemetry.gauges import Gauges
from service.telemetry.watchers import JobObservers
from service.use_cases.attempt_store import AttemptStore
from service.use_cases.retain_versions import apply_rules
from service.use_cases.uploads import Uploads

if TYPE_CHECKING:
    from service.jobs.webhooks import Webhooks

BETWEEN_ROUNDS = 600.0  # seconds between two runs of the housekeeping
LEFT_FOR = 86_400.0  # seconds after which a temporary file is removed
ENTRY = "service.use_cases.train:train"
NEEDS = ["torchmetrics.functional.classification"]
WebhookSettings = tuple[WebhookAllowlist, Signer | None]
log = logging.getLogger(__name__)


class TrainingService:
    """The runner, webhooks if hosts for them are allowed, and housekeeping.

    Args:
        settings: of the service.
        engine: the journal's database.
        store: of the models.
        watchers: called with the moves and stages of jobs, for metrics and traces.
        changed: called with the id of every job that they change, from any thread.
        document: returns the body of a job's webhook.
        audit: the audit log, whose old files are removed; closed by the caller.
        webhooks: the hosts that webhooks may go to, and their signer.
        signatures: signs the versions of trainings.
    """

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        store: Store,
        watchers: JobObservers,
        changed: Callable[[str], None],
        document: Callable[[Job], Mapping[str, Any]],
        audit: Audit,
        webhooks: WebhookSettings,
        signatures: Signatures,
    ) -> None:
        self._settings = settings
        self._home = settings.home.resolve()
        self._store = store
        self._ownership = Ownership(self._home / "owners", all_here=settings.database_url is None)
        self._webhooks = _webhooks(webhooks, engine, document)
        self._housekeeping = Housekeeping(engine)
        self._journal = Journal(engine)
        self._sweeps = SweepSteps(engine)
        self._audit = audit

        def notify(job_id: str) -> None:
            changed(job_id)
            self.changed()

        queue = JobQueue(
            engine,
            changed=notify,
            moved=watchers.moved,
            stage=watchers.stage,
            patience=settings.publish_patience_seconds,
        )
        self._runner = _runner(settings, self._home, queue, self._ownership, AttemptStore(store, signatures))

    def start(self) -> None:
        """Starts them. From a thread that lives as long as the process: the trainer server dies with it."""
        remember(self._settings)
        self._runner.start()
        if self._webhooks is not None:
            self._webhooks.start()

    def wake(self) -> None:
        """Checks for jobs to start."""
        self._runner.wake()

    def changed(self) -> None:
        """Checks for webhooks to deliver, after a job has changed."""
        if self._webhooks is not None:
            self._webhooks.wake()

    def drain(self) -> None:
        """Starts no more jobs, and asks running attempts to save a checkpoint and end. From a signal handler, too."""
        self._runner.drain()

    def stop(self) -> None:
        """Ends them; running jobs go back into the queue."""
        self._runner.stop()
        if self._webhooks is not None:
            self._webhooks.stop()
        self._ownership.close()
        remember(self._settings)

    def gauges(self) -> Gauges:
        """Their gauges for Prometheus."""
        fenced = "Attempts that were ended because this service could not renew its lease in time."
        return Gauges(
            [
                ("modelwright_trainer_server_ready", "Whether trainings can begin.", lambda: self._runner.ready),
                ("modelwright_training_slots", "Trainings that may run at a time.", lambda: self._settings.slots),
                ("modelwright_training_slots_in_use", "Trainings that run.", lambda: self._runner.busy),
                ("modelwright_attempts_fenced_total", fenced, lambda: self._runner.fenced),
            ]
        )

    async def tidy(self) -> None:
        """Runs the housekeeping at intervals until it is cancelled."""
        while True:
            try:
                await asyncio.to_thread(self._tidy_once)
            except Exception:
                log.exception("the housekeeping failed; it runs again in %.0f s", BETWEEN_ROUNDS)
            await asyncio.sleep(BETWEEN_ROUNDS)

    def _tidy_once(self) -> None:
        remember(self._settings)
        self._housekeeping.forget_old(self._settings.keep_events_days)
        if self._settings.keep_jobs_days is not None:
            self._housekeeping.forget_jobs(self._settings.keep_jobs_days)
            self._sweeps.forget_sweeps(self._settings.keep_jobs_days)
        self._housekeeping.sweep(self._home / "tmp" / "attempts", self._home / "checkpoints")
        _sweep(self._store, self._home / "tmp")
        Uploads(self._home / "uploads", self._settings.max_upload_bytes).sweep()
        self._apply_retention()
        self._audit.forget_old(self._settings.keep_audit_days)

    def _apply_retention(self) -> None:
        for each in apply_rules(self._store, self._journal):
            on = f"{each.name}/{each.number}"
            self._audit.append_command("version.deleted", on, each.digest, who="housekeeping")


def open_journal(settings: Settings) -> Engine:
    """Opens the journal's database: that of the settings, or the SQLite file in the home.

    Raises:
        JournalNotOpened: it cannot be opened.
        HomeError: something that the home has held is missing.
    """
    held = check(settings)
    settings.home.mkdir(parents=True, exist_ok=True)
    return open_database(journal_url(settings), known=not held.isdisjoint({"database", "journal"}))


def webhook_settings(settings: Settings) -> WebhookSettings:
    """The hosts that webhooks may go to, and the signer if there are any.

    Raises:
        WebhooksMisconfigured: the settings of webhooks are not right.
    """
    allowlist = WebhookAllowlist.parse(settings.webhook_hosts or "")
    return allowlist, Signer(settings.webhook_secret) if allowlist.allowed else None


def memory_limit(settings: Settings) -> int:
    """Bytes of memory that one training may use; four fifths of the machine's by default."""
    return settings.max_memory_bytes or memory_there_is() * 4 // 5


def plug_in_kinds() -> list[str]:
    """The dotted names of the kinds of model that other packages provide."""
    return [each.value for each in entry_points(group="modelwright.models")]


def _sweep(store: Store, temporary: Path) -> None:
    """Removes what killed processes have left: unfinished publishes, uploads and plots older than a day."""
    store.sweep(LEFT_FOR)
    for path in temporary.glob(f"{tempfile.template}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > LEFT_FOR:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _runner(settings: Settings, home: Path, queue: JobQueue, ownership: Ownership, store: AttemptStore) -> Runner:
    executor = LocalExecutor(
        entry=ENTRY,
        preload=NEEDS,
        temporary=home / "tmp",
        checkpoints=home / "checkpoints",
        settings={
            "threads": settings.threads or max(1, ((os.cpu_count() or 2) - 1) // settings.slots),
            "kinds": plug_in_kinds(),
            "checkpoint_seconds": settings.checkpoint_seconds,
        },
    )
    limits = AttemptLimits(memory_limit(settings), settings.max_training_seconds)
    return Runner(queue, ownership, executor, store, slots=settings.slots, limits=limits)


def _webhooks(
    webhooks: WebhookSettings, engine: Engine, document: Callable[[Job], Mapping[str, Any]]
) -> "Webhooks | None":
    allowlist, signer = webhooks
    if signer is None:
        return None
    from service.jobs.outbox import Outbox
    from service.jobs.webhooks import Webhooks  # loads httpx, which nothing else here needs

    return Webhooks(Outbox(engine), signer, allowlist, document)
