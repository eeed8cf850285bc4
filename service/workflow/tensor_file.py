"""Tensors in a file: safetensors, never a pickle."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

OS_ERROR = re.compile(r"\(os error (\d+)\)")


def write(tensors: Mapping[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Writes contiguous tensors that share no memory, and texts beside them. Neither atomic nor durable.

    Raises:
        OSError: it cannot be written; on a full disk with the errno that says so.
    """
    try:
        save_file(dict(tensors), path, metadata)
    except SafetensorError as error:  # the library tells the operating system's errors in its message only
        if (told := OS_ERROR.search(str(error))) is None:
            raise
        raise OSError(int(told[1]), os.strerror(int(told[1]))) from error
