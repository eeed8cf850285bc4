"""What the readers of files raise, as errors of ours: their panics, too, which are no `Exception`, and what they print.

A library's own text stays inside: it names its parts and not the file's, so it goes to the log and not into an answer.
"""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from service.workflow.errors import InvalidData

DAMAGED = "it is damaged, cut short, or has in it what is not read here; save it again and send the whole file"

log = logging.getLogger(__name__)


@contextmanager
def native_errors(kind: str) -> Iterator[None]:
    """Turns what the reader of a file of this kind raises into InvalidData, and logs what the reader says."""
    try:
        with quiet():
            yield
    except InvalidData as error:
        if error.__cause__ is not None:
            _log(kind, error.__cause__)
        raise
    except BaseException as error:
        if not is_native(error):
            raise
        _log(kind, error)
        raise InvalidData(f"the file cannot be read as {kind}: {DAMAGED}") from error


def is_native(error: BaseException) -> bool:
    """Whether the reader of a file raises this, and not Python or the system. Each library in Rust has a class of its own for
    its panics, of one name; some do not export it."""
    import polars as pl

    if isinstance(error, OSError):
        return error.errno is None  # polars says so of a file that is cut short
    return isinstance(error, pl.exceptions.PolarsError) or type(error).__name__ == "PanicException"


def _log(kind: str, error: BaseException) -> None:
    first_line = str(error).strip().split("\n", 1)[0][:300]  # no advice, no backtrace
    log.warning("the reader of %s says: %s", kind, first_line)


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
