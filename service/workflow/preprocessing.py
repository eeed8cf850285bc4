"""How raw features are turned into what a model learns from: statistics fitted on the training part, kept as buffers, so
that the state_dict, every export and every prediction agree."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.encode import slots
from service.workflow.models.input_shapes import InputShapes
from service.workflow.moments import moments
from service.workflow.signature import Input
from service.workflow.spec_base import Specification


class PreprocessingSpec(Specification):
    """Whether features and numeric targets are brought to mean 0 and standard deviation 1."""

    normalize: bool


@dataclass(frozen=True)
class Layout:
    """Which slots of a raw row hold numbers, and which hold categories, out of how many."""

    numbers: list[int]
    categories: list[tuple[int, int]]
    firsts: list[int]  # the first slot of each input

    @property
    def width(self) -> int:
        """Encoded columns, without those that tell of missing values."""
        return len(self.numbers) + sum(size for _, size in self.categories)

    @property
    def plain(self) -> bool:
        """Whether a raw row can be learned from as it is."""
        return not self.categories


def layout(inputs: Sequence[Input]) -> Layout:
    """The layout of the raw rows of these inputs."""
    numbers: list[int] = []
    categories: list[tuple[int, int]] = []
    firsts: list[int] = []
    start = 0
    for each in inputs:
        firsts.append(start)
        if COLUMN_TYPES[each.type].categorical:
            categories.append((start, len(each.categories or [])))
        else:
            numbers.extend(range(start, start + slots([each])))
        start += slots([each])
    return Layout(numbers, categories, firsts)


class Preprocessing(nn.Module):
    """From raw features [n, slots], NaN for missing, to encoded features float32 [n, d]: the numbers filled (and
    normalized), one column for each slot whose absence the model is told, and one column for each category. A category
    that the model does not know has 0 in all its columns.

    Buffers: `fill` [numbers] stands in for a missing number; `indicated` are the slots whose absence is told; `mean` and
    `std` [numbers] only when the features are normalized. They are of the raw features' dtype, float32 or float64, which
    is computed in.
    """

    fill: torch.Tensor
    indicated: torch.Tensor
    mean: torch.Tensor | None
    std: torch.Tensor | None

    def __init__(self, of: Layout, indicated: int, normalize: bool, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.layout = of
        count = len(of.numbers)
        self.register_buffer("fill", torch.zeros(count, dtype=dtype))
        self.register_buffer("indicated", torch.zeros(indicated, dtype=torch.int64))
        self.register_buffer("mean", torch.zeros(count, dtype=dtype) if normalize else None)
        self.register_buffer("std", torch.ones(count, dtype=dtype) if normalize else None)

    @property
    def width(self) -> int:
        """How many encoded columns there are."""
        return self.layout.width + len(self.indicated)

    def forward(self, raw: torch.Tensor) -> torch.Tensor:
        """Fill, normalize, indicate, spread the categories."""
        return encode(raw, of=self.layout, fill=self.fill, indicated=self.indicated, mean=self.mean, std=self.std)


def encode(
    raw: torch.Tensor,
    *,
    of: Layout,
    fill: torch.Tensor,
    indicated: torch.Tensor,
    mean: torch.Tensor | None,
    std: torch.Tensor | None,
) -> torch.Tensor:
    """What `Preprocessing` computes, as a function of its buffers."""
    numbers = raw if of.plain else raw[:, of.numbers]
    encoded = torch.where(numbers.isnan(), fill, numbers)
    if mean is not None and std is not None:
        encoded = (encoded - mean) / std
    if encoded.dtype is not torch.float32:
        encoded = encoded.to(torch.float32)
    parts = [encoded]
    if len(indicated):
        parts.append(raw[:, indicated].isnan().to(encoded.dtype))
    for slot, size in of.categories:
        codes = raw[:, slot].nan_to_num(0.0).to(torch.int64)
        parts.append(nn.functional.one_hot(codes, size + 1)[:, 1:].to(encoded.dtype))
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def fit(of: Layout, train: torch.Tensor, normalize: bool) -> Preprocessing | None:
    """Statistics of the training part [n, slots]; None when there is nothing to fit, to spread or to round."""
    indicated = _indicated(of, train)
    if not normalize and not len(indicated) and of.plain and train.dtype is torch.float32:
        return None
    mean, std = moments(train if of.plain else train[:, of.numbers], train.dtype)
    fitted = Preprocessing(of, len(indicated), normalize, train.dtype)
    fitted.fill.copy_(mean)
    fitted.indicated.copy_(indicated)
    if normalize:
        fitted.get_buffer("mean").copy_(mean)
        fitted.get_buffer("std").copy_(std)
    return fitted


def _indicated(of: Layout, train: torch.Tensor) -> torch.Tensor:
    """The inputs that miss a value somewhere, each by its first slot."""
    missing = train.isnan().any(dim=0)
    return torch.tensor([slot for slot in of.firsts if missing[slot]], dtype=torch.int64)


def network_inputs(inputs: Sequence[Input], preprocessing: Preprocessing | None) -> InputShapes:
    """The shapes that a network for these inputs takes; without preprocessing those of the raw features."""
    return InputShapes.of_columns(layout(inputs).width if preprocessing is None else preprocessing.width)


class TargetScaling(nn.Module):
    """Between the target's units and the trained scale. Buffers: `mean` and `std` [t], float32 or float64, which is what
    the answers are."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, targets: int, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(targets, dtype=dtype))
        self.register_buffer("std", torch.ones(targets, dtype=dtype))

    def scale(self, target: torch.Tensor) -> torch.Tensor:
        """From the target's units to the trained scale."""
        return (target - self.mean) / self.std

    def forward(self, output: torch.Tensor) -> torch.Tensor:
        """From the trained scale to the target's units."""
        return output * self.std + self.mean


def fit_target(train: torch.Tensor, dtype: torch.dtype = torch.float32) -> TargetScaling:
    """Mean and standard deviation of the training part's targets [n, t], for answers of this dtype."""
    fitted = TargetScaling(train.shape[1], dtype)
    mean, std = moments(train, dtype)
    fitted.mean.copy_(mean)
    fitted.std.copy_(std)
    return fitted
