"""Limits on the rows of one request, and the error for a request that passes one."""

from service.workflow.errors import Fault, InvalidInstances

MOST_ROWS = 1_000_000
MOST_VALUES = 2**24  # each takes about twenty bytes on its way to the tensor, and few bytes in the body
MOST_EMPTY_LINES = 1000  # beside as many as there are rows


def invalid(message: str, at: str = "") -> InvalidInstances:
    """An error with one fault."""
    return InvalidInstances(Fault(at, message))


def check_rows(count: int, width: int) -> None:
    """Checks the number of rows, and of the values in them, `width` in each.

    Raises:
        InvalidInstances: there is no row, or a limit is passed.
    """
    if not 0 < count <= MOST_ROWS:
        raise invalid(f"has {count} rows; 1 to {MOST_ROWS} are taken in one request")
    if count * width > MOST_VALUES:
        raise invalid(f"has {count} rows of {width} values; at most {MOST_VALUES} values are taken in one request")


def check_lines(count: int, rows: int) -> None:
    """Checks that of `count` lines not many more are empty than the `rows` that are not.

    Raises:
        InvalidInstances: too many are empty.
    """
    if count - rows > MOST_EMPTY_LINES + rows:
        raise invalid(f"{count - rows} of {count} lines are empty")
