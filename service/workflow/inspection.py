"""Step 5, inspect: parameters() and state_dict()."""

from collections.abc import Mapping
from typing import Any

import torch

from service.workflow.model import Model


def parameters(model: Model, tensors: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Each parameter with its shape and the mean, (population) standard deviation, minimum and maximum of its values."""
    listed: list[dict[str, Any]] = [
        {
            "name": name,
            "shape": list(tensors[name].shape),
            "dtype": str(tensors[name].dtype).removeprefix("torch."),
            "requires_grad": True,
            "count": tensors[name].numel(),
            **_statistics(tensors[name]),
        }
        for name, _ in model.network.named_parameters()
    ]
    total = sum(each["count"] for each in listed)
    return {"total": total, "trainable": total, "parameters": listed}


def _statistics(tensor: torch.Tensor) -> dict[str, float | None]:
    values, names = tensor.to(torch.float64), ("mean", "std", "min", "max")
    if not values.numel():
        return dict.fromkeys(names)
    found = (values.mean(), values.std(correction=0), values.min(), values.max())
    return {name: each.item() for name, each in zip(names, found, strict=True)}


def count(network: torch.nn.Module) -> int:
    """The number of trainable values of a network."""
    return sum(parameter.numel() for parameter in network.parameters())
