"""What polars raises at a file, as an error of ours: its panics, too, which are no `Exception`."""

from collections.abc import Iterator
from contextlib import contextmanager

from service.workflow.errors import InvalidData


@contextmanager
def native_errors(what: str = "the file") -> Iterator[None]:
    """Turns what the reader of a file raises into InvalidData."""
    import polars as pl

    try:
        yield
    except pl.exceptions.PolarsError as error:
        raise InvalidData(f"{what} cannot be read: {first_line(error)}") from error
    except OSError as error:
        if error.errno is not None:  # the system's, and not what polars says of a file that is cut short
            raise
        raise InvalidData(f"{what} cannot be read: {first_line(error)}") from error
    except pl.exceptions.PanicException as error:
        raise InvalidData(f"{what} cannot be read: it holds what its format does not allow") from error


def first_line(error: BaseException) -> str:
    """What polars says, without its advice."""
    return str(error).strip().split("\n", 1)[0][:300]
