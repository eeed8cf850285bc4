"""The errors of the client."""

from collections.abc import Mapping, Sequence
from typing import Any


class ModelwrightError(Exception):
    """The base class of all errors of this client."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class ApiError(ModelwrightError):
    """The service responded with an error. `code` is stable; `errors` are pairs of a JSON pointer and a message;
    `retry_after` is the number of seconds after which to retry, if given."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: Sequence[Mapping[str, str]] = (),
        retry_after: float | None = None,
    ) -> None:
        self.status, self.code, self.detail, self.retry_after = status, code, detail, retry_after
        self.errors = [(error.get("pointer", ""), error.get("message", "")) for error in errors]
        more = [f"  {pointer or '/'}: {message}" for pointer, message in self.errors if message not in detail]
        super().__init__("\n".join([detail, *more]))


class JobFailed(ModelwrightError):
    """A training job ended without a model."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        error = job.get("error")
        reason = f": {error['detail']} ({error['code']})" if error else "."
        super().__init__(f"Training job {job['id']} {job['status']}{reason}")


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
