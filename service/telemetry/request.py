"""The id of the request that is being handled, for log lines and problem documents."""

import random
import re
from contextvars import ContextVar

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
_VALID = re.compile(rb"[\x21-\x7e]{1,128}")
_numbers = random.Random()  # noqa: S311 - an id distinguishes requests and is no secret


def request_id(headers: dict[bytes, bytes]) -> str:
    """The client's id of its request if it has 1 to 128 visible ASCII characters; otherwise a new one."""
    given = headers.get(b"request-id") or headers.get(b"x-request-id")
    if given is not None and _VALID.fullmatch(given):
        return given.decode()
    return f"{_numbers.getrandbits(64):016x}"
