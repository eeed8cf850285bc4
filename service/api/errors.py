"""What can be wrong with a request before any use case sees it. The docstring of each class is its default message."""

from service.workflow.errors import Fault


class RequestError(Exception):
    """The request cannot be answered."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class InvalidJson(RequestError):
    """The body is not valid JSON."""


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


class UnsupportedMediaType(RequestError):
    """The Content-Type of the body is not one that this resource takes."""


class NotAcceptable(RequestError):
    """None of the media types in Accept can be answered."""


class MalformedRequest(RequestError):
    """What was sent is not HTTP/1.1, or could be read in two ways."""


class HeadTooLarge(RequestError):
    """The head of the request is larger than this service takes."""


class AddressTooLong(RequestError):
    """The address is longer than this service takes."""


class UnsupportedVersion(RequestError):
    """The request is not HTTP/1.1."""


class TooSlow(RequestError):
    """The request came too slowly."""


class TooManyRequests(RequestError):
    """As many requests of this kind are under way as may be; ask again in a moment."""


class TooManyConnections(RequestError):
    """There are as many connections as are held at a time."""


class CutOff(RequestError):
    """The service stops, and had no time left to answer this."""
