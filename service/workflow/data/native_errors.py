"""Errors of the native libraries that read files, including panics, which are no `Exception`.

Their messages name parts of the library rather than of the file, so they are logged and not sent to clients.
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
    """Turns errors of the reader of a kind of file into InvalidData, and logs their messages."""
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
    """Whether a native library raised this, rather than Python or the system. Each Rust library has its own class
    PanicException; some do not export it."""
    import polars as pl

    if isinstance(error, OSError):
        return error.errno is None  # polars raises this for a truncated file
    return isinstance(error, pl.exceptions.PolarsError) or type(error).__name__ == "PanicException"


def _log(kind: str, error: BaseException) -> None:
    first_line = str(error).strip().split("\n", 1)[0][:300]  # without advice and backtrace
    log.warning("error of the reader of %s: %s", kind, first_line)


_STDERR = 2
_lock = threading.Lock()
_quiet = 0  # the number of callers
_saved = -1


@contextmanager
def quiet() -> Iterator[None]:
    """Discards standard error of this process meanwhile, because native code prints its panics there. The service's log has a
    descriptor of its own."""
    global _quiet, _saved
    with _lock:
        _quiet += 1
        if _quiet == 1:
            _saved = os.dup(_STDERR)
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, _STDERR)
            os.close(devnull)
    try:
        yield
    finally:
        with _lock:
            _quiet -= 1
            if not _quiet:
                os.dup2(_saved, _STDERR)
                os.close(_saved)
