"""Errors of obstore as the store's own. Their messages hold no URL, header or body of obstore's: those may have credentials."""

import re
from typing import NamedTuple

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from model_store.errors import ObjectExists, ObjectNotFound, StoreError, Unavailable

# Not OSError: obstore has FileNotFoundError for a missing object, and reads the files that it uploads.
ERRORS = (BaseError, OSError, ValueError)

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z]{1,60})</Code>")
_CAUSE = re.compile(r"source: ([A-Z][A-Za-z]{1,60})(?: \{|\(|,)")
_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "specified bucket does not exist")
_TRANSIENT = {408, 409, 425, 429}


class Failure(NamedTuple):
    """What a failed request raises, and whether it may succeed when repeated."""

    error: StoreError
    transient: bool


def failure(error: Exception, doing: str) -> Failure:
    """The failure of a request.

    Args:
        error: one of `ERRORS`.
        doing: what was requested: `read`, `list`, `write` or `delete`.
    """
    text = str(error)
    if any(sign in text for sign in _NO_BUCKET):
        return Failure(Unavailable("The bucket of the store does not exist."), transient=False)
    match error:
        case FileNotFoundError() if doing == "write":
            return Failure(
                Unavailable("The object store has no such bucket, or its endpoint is wrong."), transient=False
            )
        case FileNotFoundError():
            return Failure(ObjectNotFound(), transient=False)
        case AlreadyExistsError():
            return Failure(ObjectExists(), transient=False)
        case PermissionDeniedError() | UnauthenticatedError():
            return _refused(text, doing)
        case PreconditionError():
            return Failure(Unavailable("An object was changed at the same time."), transient=True)
        case BaseError():
            return _of_request(text, doing)
        case _:  # of the local file that is uploaded, or a key that is none
            return Failure(Unavailable(f"The object store cannot {doing} ({type(error).__name__})."), transient=False)


def status_of(error: Exception) -> int | None:
    """The status of the HTTP response, if there was one."""
    found = _STATUS.search(str(error))
    return None if found is None else int(found[1])


def misconfigured(error: Exception) -> StoreError:
    """For an error of obstore's constructors; only its names of causes are shown, such as `MissingAccount`."""
    causes = [cause for cause in _CAUSE.findall(str(error)) if cause != "Os"]
    return Unavailable(
        f"The variables of the object store are not valid ({', '.join(causes) or type(error).__name__})."
    )


def _of_request(text: str, doing: str) -> Failure:
    if "169.254." in text or "oken request" in text or "Credential" in text:
        return Failure(Unavailable("There are no credentials for the object store."), transient=True)
    found = _STATUS.search(text)
    if found is not None:
        status = int(found[1])
        if status in (401, 403):
            return _refused(text, doing)
        answer = f"The object store cannot {doing}: it answered with status {status}{_code(text)}."
        return Failure(Unavailable(answer), transient=status >= 500 or status in _TRANSIENT)
    if "redirect" in text:
        answer = "The object store redirects to another address: its region or endpoint is not the bucket's."
        return Failure(Unavailable(answer), transient=False)
    if "BadScheme" in text:
        answer = "The endpoint of the object store is not https:, and plain HTTP is not allowed."
        return Failure(Unavailable(answer), transient=False)
    if "kind: Connect" in text:
        return Failure(Unavailable("The object store cannot be reached."), transient=True)
    if "TimedOut" in text or "kind: Timeout" in text:
        return Failure(Unavailable("The object store does not answer in time."), transient=True)
    return Failure(Unavailable(f"The object store did not {doing}: the connection to it broke off."), transient=True)


def _refused(text: str, doing: str) -> Failure:
    why = "its credentials are not valid, or lack the permission"
    return Failure(Unavailable(f"The object store refuses to {doing}{_code(text)}: {why}."), transient=False)


def _code(text: str) -> str:
    found = _CODE.search(text)
    return f" ({found[1]})" if found else ""
