"""Writes the filters of this package: the two-dimensional cosines of the DCT-II of 5 × 5 pixels, without the constant one. They
follow from a formula, so nobody's licence is on them. `python make_weights.py`"""

import math
from pathlib import Path

import torch
from safetensors.torch import save_file

SIDE = 5


def filters() -> torch.Tensor:
    """The 24 filters, [24, 1, 5, 5], each of norm 1."""
    at = torch.arange(SIDE, dtype=torch.float64)
    waves = torch.cos(math.pi / SIDE * (at + 0.5) * at[:, None])
    waves = waves / waves.norm(dim=1, keepdim=True)
    bank = torch.einsum("iy,jx->ijyx", waves, waves).reshape(SIDE**2, 1, SIDE, SIDE)
    return bank[1:].to(torch.float32).contiguous()


if __name__ == "__main__":
    save_file({"weight": filters()}, Path(__file__).parent / "frozen_filters" / "filters.safetensors")
