"""The network that every contender serves, with the same weights, and the rows of the requests."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # each server has one core

import torch
from torch import nn

torch.set_num_threads(1)


def network() -> nn.Sequential:
    """8→64→64→1."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)).eval()


def rows(count: int) -> torch.Tensor:
    """So many rows."""
    return torch.randn(count, 8, generator=torch.Generator().manual_seed(1))
