"""The errors of the client."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class ModelwrightError(Exception):
    """The base class of all errors of this client."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class ApiError(ModelwrightError):
    """The service responded with an error. `code` is stable; `errors` are pairs of a JSON pointer and a message;
    `retry_after` is the number of seconds after which to retry, if given; `request_id` finds the request in the service's log.

    Each code has a class of its own in `modelwright.problems`. `next_step` says what to do about it, and is shown below the
    message in a traceback.
    """

    next_step: ClassVar[str] = ""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: Sequence[Mapping[str, str]] = (),
        retry_after: float | None = None,
        request_id: str = "",
    ) -> None:
        self.status, self.code, self.detail, self.retry_after = status, code, detail, retry_after
        self.request_id = request_id
        self.errors = [(error.get("pointer", ""), error.get("message", "")) for error in errors]
        more = [f"  {pointer or '/'}: {message}" for pointer, message in self.errors if message not in detail]
        super().__init__("\n".join([detail, *more]))
        _note(self, self.next_step)


# What to do after a training has failed, by the code of its error.
AFTER_FAILURE = {
    "training_diverged": "Train with a smaller learning rate, or with gradient clipping, and look at the plot of the data.",
    "invalid_data": "Look at the data set's columns and notes; upload it with other options of the reading.",
    "dataset_deleted": "Upload the data set again, and train again.",
    "out_of_memory": "Train with a smaller batch_size or network, or ask the operator for more memory.",
    "time_limit": "Train fewer epochs or a smaller network, or ask for a higher limit.",
    "no_space": "Once the service has space again, resume the job: it goes on from its checkpoint.",
    "unavailable": "Once the service's storage is back, resume the job: it goes on from its checkpoint.",
    "lease_lost": "Start the training again; its service was stopped or lost its journal too often.",
    "crashed": "Look into the log of the service, then start the training again.",
    "journal_damaged": "Start the training again; the operator can check the journal by `modelwright journal verify`.",
}


class JobFailed(ModelwrightError):
    """A training job ended without a model. `code` is that of its error, "" if it was cancelled; `next_step` says what to do."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        self.job = job
        error = job.get("error")
        self.code: str = str(error.get("code")) if error else ""
        self.next_step = AFTER_FAILURE.get(self.code, "")
        reason = f": {error.get('detail')} ({self.code})" if error else "."
        super().__init__(f"Training job {job.get('id')} {job.get('status')}{reason}")
        _note(self, self.next_step)


class SweepFailed(ModelwrightError):
    """A sweep ended without a model. `code` is that of its error, "" if it was cancelled."""

    def __init__(self, sweep: Mapping[str, Any]) -> None:
        self.sweep = sweep
        error = sweep.get("error")
        self.code: str = str(error.get("code")) if error else ""
        reason = f": {error.get('detail')} ({self.code})" if error else "."
        super().__init__(f"Sweep {sweep.get('id')} {sweep.get('status')}{reason}")


class Unreachable(ModelwrightError):
    """The service could not be reached, or stopped answering."""


class UnexpectedAnswer(ModelwrightError):
    """This is not a response of Modelwright: is the address right?"""


class UnusableName(ModelwrightError, ValueError):
    """An empty name, "." and ".." cannot be part of a URL."""


class UnusableKey(ModelwrightError, ValueError):
    """An API key consists of visible ASCII characters; this one has others (a line break at its end?)."""


class TransferFailed(ModelwrightError):
    """A version was not transferred to another service."""


class UnusableData(ModelwrightError, TypeError):
    """These are no rows that can be sent to the service."""


def _note(error: Exception, next_step: str) -> None:
    if next_step:
        error.add_note(f"Next: {next_step}")
