"""Encoders, from an input tensor [n, *shape] to rows of numbers [n, width]."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDER = 4  # times the width: between the two layers after an attention


class Headed(nn.Module):
    """An encoder, and layers from its answers to the outputs [n, outputs]."""

    def __init__(self, encoder: nn.Module, output: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.output = output

    def forward(self, x: Tensor | dict[str, Tensor]) -> Tensor:
        found: Tensor = self.output(self.encoder(x))
        return found


class Joined(nn.Module):
    """The answers of an encoder for each input, each normalised, one beside another. One input is taken as its tensor, several
    as a dict of tensors by name."""

    def __init__(self, *encoders: nn.Module, names: Sequence[str], widths: Sequence[int]) -> None:
        super().__init__()
        self.names = names
        self.encoders = nn.ModuleList(encoders)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in widths)

    def forward(self, x: Tensor | dict[str, Tensor]) -> Tensor:
        return torch.cat(self.answers(x), dim=1)

    def answers(self, x: Tensor | dict[str, Tensor]) -> list[Tensor]:
        given = {self.names[0]: x} if isinstance(x, Tensor) else x
        parts = zip(self.names, self.encoders, self.norms, strict=True)
        return [norm(encoder(given[name])) for name, encoder, norm in parts]


class EachHeaded(nn.Module):
    """Joined encoders with layers to the outputs, and a head on each encoder alone: [members · n, outputs], member after
    member."""

    def __init__(self, *heads: nn.Module, encoder: Joined, output: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.output = output
        self.heads = nn.ModuleList(heads)

    def forward(self, x: Tensor | dict[str, Tensor]) -> Tensor:
        answers = self.encoder.answers(x)
        own = [head(answer) for head, answer in zip(self.heads, answers, strict=True)]
        return torch.cat([self.output(torch.cat(answers, dim=1)), *own])


class Columns(nn.Module):
    """Fully connected layers on the columns of a table."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.layers(x)
        return found


class ChannelsFirst(nn.Module):
    """From pixels [n, rows, columns], or [n, rows, columns, channels] if `last`, to [n, channels, rows, columns]."""

    def __init__(self, last: bool) -> None:
        super().__init__()
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 3, 1, 2) if self.last else x.unsqueeze(1)


class ConvNet(nn.Module):
    """A small ResNet (He, Zhang, Ren, Sun: "Deep residual learning for image recognition", CVPR 2016, arXiv 1512.03385): a stem,
    stages of blocks, and the mean (or largest) values of the last channels. `layout` brings the channels to the front."""

    def __init__(self, layout: nn.Module, stem: nn.Module, stages: nn.Module, pooling: str) -> None:
        super().__init__()
        self.layout = layout
        self.stem = stem
        self.stages = stages
        self.pooling = pooling

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.stages(self.stem(self.layout(x)))
        return found.amax(dim=(2, 3)) if self.pooling == "max" else found.mean(dim=(2, 3))


class Block(nn.Module):
    """Convolutions; a residual block adds its input before the last ReLU."""

    def __init__(self, inner: nn.Module, shortcut: nn.Module | None) -> None:
        super().__init__()
        self.inner = inner
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        inner = self.inner(x)
        return torch.relu(inner if self.shortcut is None else inner + self.shortcut(x))


class Bag(nn.Module):
    """The mean of the vectors of a text's ids [n, L], without padding, 0."""

    def __init__(self, count: int, dim: int) -> None:
        super().__init__()
        table = torch.empty(count, dim)  # which torch would fill with random numbers, slowly on the meta device
        self.bag = nn.EmbeddingBag(count, dim, mode="mean", padding_idx=0, _weight=table)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.bag(x)
        return found


class Tokens(nn.Module):
    """From a text's ids [n, L] to their vectors [n, L, dim]."""

    def __init__(self, count: int, dim: int) -> None:
        super().__init__()
        self.table = nn.Embedding(count, dim, padding_idx=0, _weight=torch.empty(count, dim))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.table(x)
        return found


class Steps(nn.Module):
    """An encoder on each step: from [n, steps, *shape] to [n, steps, width]."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.encoder(x.flatten(0, 1))
        shaped: Tensor = found.unflatten(0, (len(x), -1))
        return shaped


class Recurrent(nn.Module):
    """The mean of the outputs [n, length, width] of recurrent `cells` over steps [n, length, dim], which `steps` makes of the
    input. With `ids`, the input is ids, whose padding, 0, the mean leaves out."""

    def __init__(self, steps: nn.Module | None, cells: nn.Module, ids: bool) -> None:
        super().__init__()
        self.steps = steps
        self.cells = cells
        self.ids = ids

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.cells(x if self.steps is None else self.steps(x))
        return mean_of_real(found, x != 0 if self.ids else None)


class Transformer(nn.Module):
    """A transformer encoder (Vaswani and others: "Attention is all you need", NeurIPS 2017, arXiv 1706.03762) with LayerNorm
    first, and the mean of its answers over steps [n, length, dim], which `steps` makes of the input. With `ids`, the input is
    ids, and nothing attends to padding, 0."""

    def __init__(self, steps: nn.Module, length: int, dim: int, depth: int, heads: int, ids: bool) -> None:
        super().__init__()
        self.ids = ids
        self.steps = steps
        self.positions = nn.Parameter(torch.empty(length, dim))
        self.layers = nn.ModuleList(Layer(dim, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        real = x != 0 if self.ids else None
        attended = None
        if real is not None:  # always to the first, as the softmax over none is NaN
            attended = (real | (torch.arange(real.shape[1]) == 0))[:, None, None, :]
        x = self.steps(x) + self.positions
        for layer in self.layers:
            x = layer(x, attended)
        return mean_of_real(self.norm(x), real)


class Layer(nn.Module):
    """Self-attention and two fully connected layers, each behind a LayerNorm and beside a shortcut."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.LayerNorm(dim)
        self.query_key_value = nn.Linear(dim, 3 * dim)
        self.attention = nn.Linear(dim, dim)
        self.norm_inner = nn.LayerNorm(dim)
        self.inner = nn.Sequential(nn.Linear(dim, WIDER * dim), nn.GELU(), nn.Linear(WIDER * dim, dim))

    def forward(self, x: Tensor, attended: Tensor | None) -> Tensor:
        heads: Tensor = self.query_key_value(self.norm_attention(x)).unflatten(2, (3, self.heads, -1))
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind(0)
        found = functional.scaled_dot_product_attention(query, key, value, attn_mask=attended)
        x = torch.add(x, self.attention(found.transpose(1, 2).flatten(2)))
        return torch.add(x, self.inner(self.norm_inner(x)))


class Patches(nn.Module):
    """From images to their patches, each as a vector [n, patches, dim]. As many zeros as `filled` says are added to the left,
    right, top and bottom."""

    def __init__(self, layout: nn.Module, project: nn.Module, filled: Sequence[int]) -> None:
        super().__init__()
        self.layout = layout
        self.project = project
        self.filled = list(filled)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layout(x)
        x = functional.pad(x, self.filled) if any(self.filled) else x
        found: Tensor = self.project(x)
        return found.flatten(2).transpose(1, 2)


def mean_of_real(steps: Tensor, real: Tensor | None) -> Tensor:
    """The mean over the steps [n, L, d] that are real [n, L], true or false; zeros where none is. Over all if `real` is None."""
    if real is None:
        return steps.mean(dim=1)
    weights = real.to(steps.dtype).unsqueeze(2)
    return (steps * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


MODULES: dict[str, type[nn.Module]] = {
    each.__name__: each
    for each in (
        *(Headed, Joined, EachHeaded, Columns, ChannelsFirst, ConvNet, Block, Patches),
        *(Bag, Tokens, Steps, Recurrent, Transformer),
    )
}
