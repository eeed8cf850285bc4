"""How features are turned into what a model learns from: statistics fitted on the training part, kept as buffers, so
that the state_dict, every export and every prediction agree."""

import torch
from torch import nn

from service.workflow.specification import Specification


class PreprocessingSpec(Specification):
    """Whether features and numeric targets are brought to mean 0 and standard deviation 1."""

    normalize: bool


class Preprocessing(nn.Module):
    """From raw features [n, d], NaN for missing, to encoded features [n, d + indicated].

    Buffers: `fill` [d] stands in for what is missing; `indicated` [k] are the columns whose absence the model is told
    by an extra column; `mean` and `std` [d] only when the features are normalized.
    """

    fill: torch.Tensor
    indicated: torch.Tensor
    mean: torch.Tensor | None
    std: torch.Tensor | None

    def __init__(self, features: int, indicated: int, normalize: bool) -> None:
        super().__init__()
        self.register_buffer("fill", torch.zeros(features))
        self.register_buffer("indicated", torch.zeros(indicated, dtype=torch.int64))
        self.register_buffer("mean", torch.zeros(features) if normalize else None)
        self.register_buffer("std", torch.ones(features) if normalize else None)

    def forward(self, raw: torch.Tensor) -> torch.Tensor:
        """Fill, indicate, normalize."""
        missing = raw.isnan()
        encoded = torch.where(missing, self.fill, raw)
        if self.mean is not None and self.std is not None:
            encoded = (encoded - self.mean) / self.std
        if len(self.indicated):
            encoded = torch.cat([encoded, missing[:, self.indicated].to(encoded.dtype)], dim=1)
        return encoded


def fit(train: torch.Tensor, normalize: bool) -> Preprocessing | None:
    """Statistics of the training part [n, d]; None when there is nothing to fit: no missing value, no normalization."""
    missing = train.isnan()
    indicated = missing.any(dim=0).nonzero()[:, 0]
    if not normalize and not len(indicated):
        return None
    values = train.to(torch.float64)
    mean = values.nanmean(dim=0).nan_to_num(0.0)
    fitted = Preprocessing(train.shape[1], len(indicated), normalize)
    fitted.fill.copy_(mean)
    fitted.indicated.copy_(indicated)
    if normalize:
        fitted.get_buffer("mean").copy_(mean)
        fitted.get_buffer("std").copy_(_spread(torch.where(missing, mean, values) - mean))
    return fitted


def _spread(centred: torch.Tensor) -> torch.Tensor:
    """The standard deviation [d]; 1 for a constant column, so that nothing is divided by 0."""
    std = centred.square().mean(dim=0).sqrt()
    return torch.where(std > 1e-12, std, 1.0)


class TargetScaling(nn.Module):
    """Between the target's units and the trained scale. Buffers: `mean` and `std` [t]."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, targets: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(targets))
        self.register_buffer("std", torch.ones(targets))

    def scale(self, target: torch.Tensor) -> torch.Tensor:
        """From the target's units to the trained scale."""
        return (target - self.mean) / self.std

    def forward(self, output: torch.Tensor) -> torch.Tensor:
        """From the trained scale to the target's units."""
        return output * self.std + self.mean


def fit_target(train: torch.Tensor) -> TargetScaling:
    """Mean and standard deviation of the training part's targets [n, t]."""
    fitted = TargetScaling(train.shape[1])
    fitted.mean.copy_(train.mean(dim=0))
    fitted.std.copy_(_spread(train - train.mean(dim=0)))
    return fitted
