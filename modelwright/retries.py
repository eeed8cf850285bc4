"""Calls that the service refuses for a moment are sent again."""

from collections.abc import Generator
from contextlib import closing
from random import uniform
from typing import Any, TypeVar

from modelwright.errors import ApiError
from modelwright.steps import Call, Pause

FIRST_SECONDS, LONGEST_SECONDS = 0.2, 15.0
LONGEST_RETRY_AFTER = 60.0  # seconds; a longer Retry-After raises the error
IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
BUSY = frozenset({429, 503})  # statuses
LASTING = frozenset(
    {"version_corrupt", "made_by_newer", "journal_damaged"}
)  # codes of 503 that a repetition does not change

T = TypeVar("T")


def with_retries(steps: Generator[Any, Any, T], most: int) -> Generator[Any, Any, T]:
    """The same steps; each call that may be repeated is sent again after 429 and 503, after a pause that doubles, or is as long
    as `Retry-After` asks.

    Args:
        steps: the steps of an operation.
        most: how often one call is sent again.
    """
    answer: Any = None
    fault: Exception | None = None
    with closing(steps):
        while True:
            try:
                step = steps.throw(fault) if fault else steps.send(answer)
            except StopIteration as end:
                result: T = end.value
                return result
            answer, fault, repeated = None, None, 0
            while True:
                try:
                    answer = yield step
                    break
                except Exception as error:  # the steps decide what it means
                    pause = _pause(step, error, repeated) if repeated < most else None
                    if pause is None:
                        fault = error
                        break
                repeated += 1
                yield pause


def _pause(step: Any, error: Exception, repeated: int) -> Pause | None:
    """The pause before the same call is sent again; None if it is not to be."""
    if not (isinstance(step, Call) and isinstance(error, ApiError) and error.status in BUSY):
        return None
    asked = error.retry_after or 0.0
    if not _is_repeatable(step) or error.code in LASTING or asked > LONGEST_RETRY_AFTER:
        return None
    seconds = min(FIRST_SECONDS * 2**repeated, LONGEST_SECONDS)
    # Clients that were refused at one time do not come back at one time.
    return Pause(max(seconds, asked) * uniform(1.0, 1.25))  # noqa: S311 - no secret


def _is_repeatable(call: Call) -> bool:
    if call.repeatable is None:
        return call.method in IDEMPOTENT or "Idempotency-Key" in call.headers
    return call.repeatable
