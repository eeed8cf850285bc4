"""What can go wrong between a request and its prediction. The docstring of each class is its default message.

ServingError
├── Overloaded          more wait than are let in
├── DeadlineExceeded    the client's time is over
└── PredictionFailed    the model's forward raised
"""


class ServingError(Exception):
    """The prediction failed."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class Overloaded(ServingError):
    """Too many predictions wait already; ask again in a moment."""


class DeadlineExceeded(ServingError):
    """The prediction was not ready within the seconds of Request-Timeout."""


class PredictionFailed(ServingError):
    """The model could not compute this; the service's log says why."""
