"""`nn.EmbeddingBag` by operations that ONNX has: torch converts its own to a loop over the rows, which is slow and fails for no
row."""

import torch
from torch import Tensor, nn


def replace_bags(module: nn.Module) -> None:
    """Replaces every `nn.EmbeddingBag` within a module, in place."""
    for name, child in module.named_children():
        if isinstance(child, nn.EmbeddingBag):
            module.add_module(name, LookedUp(child))
        else:
            replace_bags(child)


class LookedUp(nn.Module):
    """The sum, mean or maximum of the vectors of ids, without padding."""

    def __init__(self, bag: nn.EmbeddingBag) -> None:
        super().__init__()
        self.weight = bag.weight
        self.mode = bag.mode
        self.padding = -1 if bag.padding_idx is None else bag.padding_idx

    def forward(self, ids: Tensor) -> Tensor:
        """From ids [n, L] to [n, dim]; zeros for a row of padding only."""
        vectors, real = nn.functional.embedding(ids, self.weight), (ids != self.padding).unsqueeze(2)
        if self.mode == "max":
            largest = vectors.masked_fill(~real, -torch.inf).amax(dim=1)
            return torch.where(real.any(dim=1), largest, 0.0)
        total = (vectors * real).sum(dim=1)
        return total / real.sum(dim=1).clamp(min=1) if self.mode == "mean" else total
