"""Errors of predictions. The docstring of each class is its default message.

ServingError
├── Overloaded          too many requests wait
├── BodyNotTaken        the model takes no such body
├── AnswerTooLarge      the answer would take too much memory
├── ClientGone          the client has disconnected
├── DeadlineExceeded    the request's deadline has passed
└── PredictionFailed    the model's forward raised
"""


class ServingError(Exception):
    """The prediction failed."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class Overloaded(ServingError):
    """Too many predictions wait already; retry in a moment."""


class BodyNotTaken(ServingError):
    """The model takes no body of this media type."""


class AnswerTooLarge(ServingError):
    """The answer would be too large."""


class ClientGone(ServingError):
    """The client has closed its connection."""


class DeadlineExceeded(ServingError):
    """The prediction was not ready within the seconds of Request-Timeout."""


class PredictionFailed(ServingError):
    """The model could not compute this; the service's log says why."""
