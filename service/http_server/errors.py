"""Errors of a connection or a request before it reaches the application. The docstring of each class is its default message."""


class HttpError(Exception):
    """The request cannot be read."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class MalformedRequest(HttpError):
    """The request is not valid HTTP/1.1, or is ambiguous."""


class HeadTooLarge(HttpError):
    """The head of the request is larger than this service takes."""


class AddressTooLong(HttpError):
    """The address is longer than this service takes."""


class UnsupportedVersion(HttpError):
    """The request is not HTTP/1.1."""


class TooSlow(HttpError):
    """The request came too slowly."""


class TooManyConnections(HttpError):
    """The limit of open connections is reached."""


class CutOff(HttpError):
    """The service stopped before this request was answered."""
