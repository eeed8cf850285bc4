"""Failures of disks and of the store, which are transient: an attempt is put off, and its job does not fail."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from model_store.errors import NoSpace, Unavailable
from service.jobs.errors import AttemptPutOff

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def put_off_storage_errors(what: str) -> Iterator[None]:
    """Turns a failure of a disk or of the store inside the `with` block into AttemptPutOff; its detail begins with `what`."""
    try:
        yield
    except ConnectionError:  # of the attempt's own socket: the service has ended
        raise
    except NoSpace as error:
        raise AttemptPutOff("no_space", f"{what}: no space is left") from error
    except Unavailable as error:
        raise AttemptPutOff("unavailable", f"{what}: {error}") from error
    except OSError as error:
        if error.errno in NO_SPACE:
            raise AttemptPutOff("no_space", f"{what}: no space is left") from error
        raise AttemptPutOff("unavailable", f"{what}: {error.strerror or 'a disk failed'}") from error
