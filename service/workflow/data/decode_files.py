"""Decodes a column of files into one tensor, in threads: Pillow and PyAV let go of the interpreter while they decode."""

import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from service.workflow.data.image_headers import BadImage
from service.workflow.data.table import Files, Numbers
from service.workflow.data.tensor_cache import TensorCache
from service.workflow.errors import InvalidData
from service.workflow.spec_base import shown

if TYPE_CHECKING:
    from torch import Tensor

MOST_AT_A_TIME = 64  # files of a thread


def decode_files(
    files: Files, shape: tuple[int, ...], decode: Callable[[bytes], Numbers], cache: TensorCache
) -> "Tensor":
    """A tensor uint8 [n, *shape], which the cache allocates, of `torch.get_num_threads()` threads' work. A missing file is zeros.

    Args:
        decode: from the bytes of a file to uint8 of this shape.

    Raises:
        InvalidData: a file cannot be decoded; it is named.
        OSError: the disk cannot be read, or is full.
    """
    import torch

    made, count = cache.empty((len(files), *shape), torch.uint8), torch.get_num_threads()
    into, at_a_time = made.numpy(), max(1, min(MOST_AT_A_TIME, len(files) // (8 * count)))

    def decode_some(start: int) -> None:
        for row in range(start, min(start + at_a_time, len(files))):
            try:
                data = files.read(row)
                into[row] = 0 if data is None else decode(data)
            except BadImage as error:
                raise InvalidData(f"{shown(files.names[row])} cannot be read: {error}") from error
            except zlib.error as error:
                raise InvalidData(f"{shown(files.names[row])} cannot be read: its archive is damaged") from error

    threads = ThreadPoolExecutor(count, "decode")
    try:
        for _ in threads.map(decode_some, range(0, len(files), at_a_time)):
            pass
    finally:
        threads.shutdown(cancel_futures=True)
    return made
