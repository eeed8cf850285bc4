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
    """Writes contiguous tensors that share no memory, and metadata. The write is neither atomic nor durable.

    Raises:
        OSError: it cannot be written, with errno ENOSPC on a full disk.
    """
    try:
        save_file(dict(tensors), path, metadata)
    except SafetensorError as error:  # it names the system's error only in its message
        if (match := OS_ERROR.search(str(error))) is None:
            raise
        raise OSError(int(match[1]), os.strerror(int(match[1]))) from error
