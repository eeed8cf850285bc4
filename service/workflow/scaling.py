"""Scales the raw tensors of columns whose values have a shape, by statistics of the training part."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

CHUNK_NUMBERS = 2**21  # that are summed at a time, in float64


class Scaling(nn.Module):
    """From a raw tensor [n, *shape], of uint8 or float32, to float32 with mean 0 and standard deviation 1 over the training
    part; a missing number (NaN) becomes 0. Buffers: `mean` and `std`, float32, of a shape that broadcasts to that of a row: one
    number for each entry of the axis `ColumnType.channel_axis`."""

    mean: Tensor
    std: Tensor

    def __init__(self, shape: Sequence[int], axis: int | None) -> None:
        super().__init__()
        self.shape = broadcast_shape(shape, axis)
        self.register_buffer("mean", torch.zeros(self.shape))
        self.register_buffer("std", torch.ones(self.shape))

    def forward(self, raw: Tensor) -> Tensor:
        """From the raw tensor [n, *shape] to float32 of the same shape."""
        if raw.dtype is torch.uint8:
            return (raw.to(torch.float32) - self.mean) / self.std
        return ((raw - self.mean) / self.std).nan_to_num(0.0)


def broadcast_shape(shape: Sequence[int], axis: int | None) -> list[int]:
    """The shape of the statistics for rows of this shape."""
    return [size if at == axis else 1 for at, size in enumerate(shape)]


def fit_scaling(raw: Tensor, rows: Tensor, axis: int | None, normalize: bool) -> Scaling:
    """The scaling fitted on the rows at these positions (int64 [m]) of a raw tensor [n, *shape]. Without `normalize` only the
    values of uint8 are scaled, to 0 … 1."""
    fitted = Scaling(raw.shape[1:], axis)
    if normalize:
        mean, std = _moments(raw, rows, axis)
        fitted.mean.copy_(mean.reshape(fitted.shape))
        fitted.std.copy_(std.reshape(fitted.shape))
    elif raw.dtype is torch.uint8:
        fitted.std.fill_(255.0)
    return fitted


def _moments(raw: Tensor, rows: Tensor, axis: int | None) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation in float64, without missing numbers; a constant has the deviation 1. Summed chunk by chunk,
    because the tensor may be larger than the memory; the sums of uint8 are exact."""
    others = [at + 1 for at in range(raw.ndim - 1) if at != axis]
    at_once = max(1, CHUNK_NUMBERS // max(1, raw[:1].numel()))
    count, total, squares = (torch.zeros((), dtype=torch.float64) for _ in range(3))
    for chunk in rows.split(at_once):
        values = raw[chunk].to(torch.float64)
        there = ~values.isnan()
        values = values.nan_to_num(0.0)
        over = [0, *others]
        count = count + there.sum(dim=over)
        total = total + values.sum(dim=over)
        squares = squares + values.square().sum(dim=over)
    mean = total / count.clamp_min(1)
    deviation = (squares / count.clamp_min(1) - mean.square()).clamp_min(0).sqrt()
    # A deviation within the rounding of float64 is that of a constant.
    constant = deviation <= 1e-6 * mean.abs()
    return mean, torch.where(constant | (deviation == 0), 1.0, deviation)
