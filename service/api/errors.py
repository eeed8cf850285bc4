"""Errors of a request that are found before a use case is called. The docstring of each class is its default message."""

from service.workflow.errors import Fault


class RequestError(Exception):
    """The request cannot be answered."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class InvalidRequest(RequestError):
    """The request is not valid."""


class InvalidFields(InvalidRequest):
    """Fields of the request are not valid."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(f"{fault.pointer}: {fault.message}" for fault in faults))
        self.faults = faults


class MalformedForm(RequestError):
    """The body is no form (multipart/form-data)."""


class TooLarge(RequestError):
    """The body is larger than this service takes."""


class RangeNotSatisfiable(RequestError):
    """The range begins after the end of what is there."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the range begins after the end: there are {size} bytes")
        self.size = size


class UnsupportedMediaType(RequestError):
    """The Content-Type of the body is not one that this resource takes."""


class NotAcceptable(RequestError):
    """None of the media types in Accept can be answered."""


class TooManyRequests(RequestError):
    """The limit of concurrent requests of this kind is reached; retry in a moment."""
