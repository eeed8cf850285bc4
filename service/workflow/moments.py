"""Mean and standard deviation of columns of any scale: of 1e-200 as of 1e200."""

import numpy as np
import torch
from torch import Tensor


def moments(values: Tensor, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation [d] of each column of values [n, d], computed in float64 and returned as `dtype`. NaN counts
    as the mean. The standard deviation of a constant column is 1, so that it can be divided by."""
    low, high = (torch.from_numpy(end.reduce(values.numpy(), axis=0)) for end in (np.fmin, np.fmax))
    unit = power_of_two(torch.maximum(low.abs(), high.abs()))
    scaled = values / unit
    # Exact for a constant column, where a rounded mean would leave a small difference.
    mean = torch.where(low == high, low / unit, scaled.nanmean(dim=0).nan_to_num(0.0))
    centred = torch.where(scaled.isnan(), mean, scaled).sub_(mean)
    std = (centred.square_().mean(dim=0).sqrt_() * unit).to(dtype)
    return (mean * unit).to(dtype), torch.where((low < high) & (std > 0), std, 1.0)


def power_of_two(magnitudes: Tensor) -> Tensor:
    """For each magnitude the power of two below it as float64; 1/2 for 0 and NaN. Dividing by it is exact and brings numbers
    near 1, so that neither they nor their squares overflow or underflow."""
    exponents = np.frexp(magnitudes.to(torch.float64).nan_to_num(0.0).numpy())[1]
    return torch.as_tensor(np.ldexp(1.0, exponents - 1))
