"""Errors of jobs. The docstring of each class is its default message."""


class JobsError(Exception):
    """An error of jobs or of their journal."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class JobNotFound(JobsError):
    """There is no such training job."""


class TooManyWatchers(JobsError):
    """The limit of requests that wait for jobs is reached; retry in a moment, or without `wait`."""


class IllegalMove(JobsError):
    """The job cannot move from its state to the requested one."""


class IdempotencyMismatch(JobsError):
    """This Idempotency-Key was used before with another request."""


class IdempotencyDamaged(JobsError):
    """The journal's row of this Idempotency-Key is damaged: check whether its job exists, and use another key."""


class MetricsDamaged(JobsError):
    """A part of this job's metrics is damaged or lost in the journal; see the service's log and your backups."""


class JournalUnavailable(JobsError):
    """The journal cannot be read or written at the moment; try again."""


class JournalFull(JournalUnavailable):
    """No space is left to write to the journal."""


class JournalNotOpened(JobsError):
    """The journal's database cannot be opened."""


class JournalTooNew(JournalNotOpened):
    """The journal was written by a newer version of Modelwright; start that version, or give another home or database."""


class JournalLost(JournalNotOpened):
    """The journal's database is empty, and was not before. Restore a backup, or start with modelwright serve --accept-loss."""


class InvalidDatabaseUrl(JournalNotOpened):
    """MODELWRIGHT_DATABASE_URL is sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME, an @ in the password as %40."""


class PostgresNotInstalled(JournalNotOpened):
    """A journal on PostgreSQL needs psycopg: pip install "modelwright[postgres]"."""


# The error of a job whose work raised an unexpected error; the log has the details.
SOFTWARE_ERROR = {"code": "crashed", "detail": "the training stopped at an error of the software"}


class AttemptFailed(JobsError):
    """The attempt failed for a reason that another attempt would meet again."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


class AttemptPutOff(JobsError):
    """The attempt failed for a transient reason; it is retried later.

    Args:
        code, detail: the error of the job, should it not pass in time.
        unpublished: whether it is certain that nothing was published.
    """

    def __init__(self, code: str, detail: str, *, unpublished: bool = False) -> None:
        super().__init__(detail)
        self.code, self.detail, self.unpublished = code, detail, unpublished


class AttemptSuperseded(JobsError):
    """The job is no longer this attempt's: it was cancelled, or another service took it over."""


class AttemptLeft(JobsError):
    """The attempt was asked to stop, and has saved a checkpoint."""


class WebhooksMisconfigured(JobsError):
    """The settings of the webhooks are not valid."""


class AddressRefused(JobsError):
    """The host's address is one that no webhook goes to."""


class SweepNotFound(JobsError):
    """There is no such sweep."""


class SweepDamaged(JobsError):
    """The records of this sweep are damaged or lost in the journal; see your backups."""
