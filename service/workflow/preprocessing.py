"""Encodes raw features by statistics of the training part. They are buffers of a module, so that the state_dict, exports and
predictions agree."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.encode import raw_width, shaped_inputs, table_inputs
from service.workflow.models.input_shapes import FEATURES, InputShapes, InputTensor
from service.workflow.moments import moments
from service.workflow.signature import Input
from service.workflow.spec_base import SpecBase


class PreprocessingSpec(SpecBase):
    """Whether features and numeric targets are normalized to mean 0 and standard deviation 1."""

    normalize: bool


@dataclass(frozen=True)
class Layout:
    """The columns of the raw features that hold numbers, and those that hold categories with the number of categories."""

    numbers: list[int]
    categories: list[tuple[int, int]]
    firsts: list[int]  # the first column of each input; -1 for one that has a tensor of its own

    @property
    def width(self) -> int:
        """The number of encoded columns, without the indicators of missing values."""
        return len(self.numbers) + sum(size for _, size in self.categories)

    @property
    def plain(self) -> bool:
        """Whether all raw features are numbers."""
        return not self.categories


def layout(inputs: Sequence[Input]) -> Layout:
    """The layout of the raw features of these inputs."""
    numbers: list[int] = []
    categories: list[tuple[int, int]] = []
    firsts: list[int] = []
    start = 0
    for each in inputs:
        firsts.append(-1 if COLUMN_TYPES[each.type].shaped else start)
        if COLUMN_TYPES[each.type].categorical:
            categories.append((start, len(each.categories or [])))
        else:
            numbers.extend(range(start, start + raw_width([each])))
        start += raw_width([each])
    return Layout(numbers, categories, firsts)


class Preprocessing(nn.Module):
    """From raw features [n, w], NaN for missing, to encoded features float32 [n, d]: the numbers, imputed and perhaps
    normalized; an indicator (0, 1) for each raw column with missing values; and a one-hot column for each category, all 0 for
    an unknown one.

    Buffers: `fill` [numbers] replaces missing numbers; `indicated` are the raw columns with an indicator; `mean` and `std`
    [numbers] only if the features are normalized. They have the type of the raw features, float32 or float64.
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
        """The number of encoded columns d."""
        return self.layout.width + len(self.indicated)

    @property
    def sources(self) -> list[int]:
        """The raw column of each encoded column."""
        one_hot = [at for at, size in self.layout.categories for _ in range(size)]
        return [*self.layout.numbers, *self.indicated.tolist(), *one_hot]

    def forward(self, raw: torch.Tensor) -> torch.Tensor:
        """From raw features [n, w] to encoded features [n, d]."""
        numbers = raw if self.layout.plain else raw[:, self.layout.numbers]
        encoded = torch.where(numbers.isnan(), self.fill, numbers)
        if self.mean is not None and self.std is not None:
            encoded = (encoded - self.mean) / self.std
        if encoded.dtype is not torch.float32:
            encoded = encoded.to(torch.float32)
        parts = [encoded]
        if len(self.indicated):
            parts.append(raw[:, self.indicated].isnan().to(encoded.dtype))
        for at, size in self.layout.categories:
            codes = raw[:, at].nan_to_num(0.0).to(torch.int64)
            parts.append(nn.functional.one_hot(codes, size + 1)[:, 1:].to(encoded.dtype))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def fit(of: Layout, train: torch.Tensor, normalize: bool) -> Preprocessing | None:
    """Preprocessing fitted on the raw features of the training part; None if they can be learned from as they are."""
    missing = train.isnan().any(dim=0)
    indicated = torch.tensor([first for first in of.firsts if first >= 0 and missing[first]], dtype=torch.int64)
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


def network_inputs(inputs: Sequence[Input], preprocessing: Preprocessing | None) -> InputShapes:
    """The shapes that a network for these inputs takes; without preprocessing those of the raw features."""
    if preprocessing is None:
        return input_shapes(inputs, layout(inputs).width, normalized=False)
    return input_shapes(inputs, preprocessing.width, normalized=preprocessing.mean is not None)


def input_shapes(inputs: Sequence[Input], columns: int, normalized: bool) -> InputShapes:
    """The shapes that a network takes for these inputs, of which the columns of a table are encoded into `columns` columns, the
    numbers normalized or as they are."""
    own = {
        each.name: InputTensor(tuple(each.shape or ()), each.type, kind.ids(each))
        for each, kind in shaped_inputs(inputs)
    }
    encoded = InputTensor((columns,), normalized=len(layout(inputs).numbers) if normalized else 0)
    return InputShapes({FEATURES: encoded, **own} if table_inputs(inputs) else own)


class TargetScaling(nn.Module):
    """Converts between the target's units and the trained scale. Buffers: `mean` and `std` [t], float32 or float64, which is
    also the type of the answers."""

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
