"""What polars, and what else reads a file in native code, raises at it, as an error of ours: its panics, too, which are no
`Exception`, and what they print."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from service.workflow.errors import InvalidData


@contextmanager
def native_errors(what: str = "the file") -> Iterator[None]:
    """Turns what the reader of a file raises into InvalidData."""
    import polars as pl

    try:
        with quiet():
            yield
    except pl.exceptions.PolarsError as error:
        raise InvalidData(f"{what} cannot be read: {first_line(error)}") from error
    except OSError as error:
        if error.errno is not None:  # the system's, and not what polars says of a file that is cut short
            raise
        raise InvalidData(f"{what} cannot be read: {first_line(error)}") from error
    except BaseException as error:
        if not is_panic(error):
            raise
        raise InvalidData(f"{what} cannot be read: it holds what its format does not allow") from error


def is_panic(error: BaseException) -> bool:
    """Whether native code has panicked. Each library has a class of its own for that, of one name; some do not export it."""
    return type(error).__name__ == "PanicException"


def first_line(error: BaseException) -> str:
    """What polars says, without its advice."""
    return str(error).strip().split("\n", 1)[0][:300]


_STDERR = 2
_lock = threading.Lock()
_quiet = 0  # how many want it
_before = -1


@contextmanager
def quiet() -> Iterator[None]:
    """Drops what is printed to standard error meanwhile, by whoever in this process. A panic of native code prints a message, and
    perhaps a backtrace, before it is raised; the service's log has a descriptor of its own, and goes on."""
    global _quiet, _before
    with _lock:
        _quiet += 1
        if _quiet == 1:
            _before = os.dup(_STDERR)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, _STDERR)
            os.close(nowhere)
    try:
        yield
    finally:
        with _lock:
            _quiet -= 1
            if not _quiet:
                os.dup2(_before, _STDERR)
                os.close(_before)
