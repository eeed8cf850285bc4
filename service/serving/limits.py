"""Limits on the rows of one request, and the error for a request that passes one."""

from service.workflow.errors import Fault, InvalidInstances

MOST_ROWS = 1_000_000
MOST_VALUES = 2**24  # a few bytes may stand for each, and it takes some twenty before it is in the tensor
MOST_EMPTY_LINES = 1000  # beside as many as there are rows


def invalid(message: str, at: str = "") -> InvalidInstances:
    """An error with one fault."""
    return InvalidInstances(Fault(at, message))


def check_rows(count: int, width: int) -> None:
    """There are rows, not too many, and not too many values in them all.

    Raises:
        InvalidInstances: there are not.
    """
    if not 0 < count <= MOST_ROWS:
        raise invalid(f"has {count} rows; 1 to {MOST_ROWS} are taken in one request")
    if count * width > MOST_VALUES:
        raise invalid(f"has {count} rows of {width} values; at most {MOST_VALUES} values are taken in one request")


def check_lines(count: int, rows: int) -> None:
    """Of so many lines, not many more are empty than hold a row.

    Raises:
        InvalidInstances: they are.
    """
    if count - rows > MOST_EMPTY_LINES + rows:
        raise invalid(f"{count - rows} of {count} lines are empty")
