"""Several networks that answer together."""

from collections.abc import Sequence

import torch
from torch import nn

from service.workflow.input_tensors import Tensors


class BagOfNetworks(nn.Module):
    """An ensemble of networks with inputs and outputs of the same shape: their outputs [members · n, outputs], network after
    network, where a network may be an ensemble itself."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.members: int = sum(getattr(each, "members", 1) for each in networks)

    def forward(self, inputs: Tensors) -> torch.Tensor:
        """From the inputs to [members · n, outputs]."""
        return torch.cat([network(inputs) for network in self.networks])


def networks_of(network: nn.Module) -> list[nn.Module]:
    """The networks of a bag, or the one that this is."""
    return list(network.networks) if isinstance(network, BagOfNetworks) else [network]
