"""Arrays of pixels as images: uint8 [n, h, w], [n, channels, h, w] or [n, h, w, channels], with 1 or 3 channels."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from service.workflow.data.images import to_array
from service.workflow.data.table import Numbers
from service.workflow.data.tensor_cache import TensorCache

if TYPE_CHECKING:
    from torch import Tensor

CHANNELS = (1, 3)
COPIED_BYTES = 2**24  # at a time: the array may be a file
FLAT, DEEP = 2, 3  # dimensions


def channels_first(shape: Sequence[int]) -> list[int] | None:
    """The channels, height and width of one image's array; None if it is none."""
    if len(shape) == FLAT:
        return [1, *shape]
    if len(shape) != DEEP or not {shape[0], shape[2]} & {*CHANNELS}:
        return None
    return [*shape] if shape[0] in CHANNELS else [shape[2], *shape[:2]]


def as_images(array: Numbers, shape: Sequence[int], cache: TensorCache) -> "Tensor":
    """Images as a tensor [n, *shape], made grey or RGB and stretched where they are not of this shape."""
    import torch

    if array.shape[1:] == tuple(shape) and array.flags.writeable and not isinstance(array, np.memmap):
        return torch.from_numpy(array)
    made = cache.empty((len(array), *shape), torch.uint8)
    rows = max(1, COPIED_BYTES // max(1, math.prod(array.shape[1:])))
    for start in range(0, len(array), rows):
        part = _arranged(np.array(array[start : start + rows]))
        if part.shape[1:] != tuple(shape):
            part = np.stack([_changed(each, shape) for each in part])
        made[start : start + rows] = torch.from_numpy(np.ascontiguousarray(part))
    return made


def _arranged(array: Numbers) -> Numbers:
    """With the channels first."""
    if array.ndim == FLAT + 1:
        return array[:, None]
    return array if array.shape[1] in CHANNELS else np.moveaxis(array, 3, 1)


def _changed(image: Numbers, shape: Sequence[int]) -> Numbers:
    from PIL import Image

    pixels = image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0))
    return to_array(Image.fromarray(pixels), "L" if shape[0] == 1 else "RGB", (shape[2], shape[1]))
