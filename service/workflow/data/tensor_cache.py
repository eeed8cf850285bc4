"""Memory for the tensors of a training's columns: resident if they are small, else mapped from a file on the disk, which the
kernel can drop from memory and read again."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

RESIDENT_BYTES = 256 * 2**20


class TensorCache:
    """Allocates tensors.

    Args:
        folder: of the files, which its owner deletes; None keeps every tensor resident.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._files = 0

    def empty(self, shape: tuple[int, ...], dtype: "torch.dtype") -> "torch.Tensor":
        """A tensor to be filled.

        Raises:
            OSError: the disk is full.
        """
        import torch

        size = math.prod(shape) * dtype.itemsize
        if self._folder is None or size <= RESIDENT_BYTES:
            return torch.empty(shape, dtype=dtype)
        self._files += 1
        numpy_dtype = torch.empty(0, dtype=dtype).numpy().dtype
        path = self._folder / f"tensor-{self._files}"
        return torch.from_numpy(np.memmap(path, numpy_dtype, "w+", shape=shape))
