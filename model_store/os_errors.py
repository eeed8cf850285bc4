"""Operating system errors as the store's own."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from model_store.errors import NoSpace, Unavailable

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn an OSError of the block into NoSpace or Unavailable; the message holds no path."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise NoSpace from error
        raise Unavailable(f"The storage cannot be used: {error.strerror}.") from error
