"""Failures of disks and of the store: they may pass, and no attempt fails its job for them."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from model_store.errors import NoSpace, Unavailable
from service.jobs.errors import AttemptPutOff

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def put_off_storage_errors(what: str) -> Iterator[None]:
    """Puts the attempt off where a disk or the store fails within; `what` says what cannot be done then.

    Raises:
        AttemptPutOff: there was such a failure.
    """
    try:
        yield
    except ConnectionError:  # of the attempt's own socket: its service is gone
        raise
    except NoSpace as error:
        raise AttemptPutOff("no_space", f"{what}: no space is left") from error
    except Unavailable as error:
        raise AttemptPutOff("unavailable", f"{what}: {error}") from error
    except OSError as error:
        if error.errno in NO_SPACE:
            raise AttemptPutOff("no_space", f"{what}: no space is left") from error
        raise AttemptPutOff("unavailable", f"{what}: {error.strerror or 'a disk failed'}") from error
