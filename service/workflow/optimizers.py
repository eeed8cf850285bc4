"""Step 7, the optimizer: the classes of torch.optim that a spec may name."""

from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel

from service.workflow.torch_classes import Family, arguments_of

FUSED = frozenset({"Adagrad", "Adam", "AdamW", "SGD"})  # one C++ call a step on the CPU

NAMES = ["ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "Rprop"]
NAMES += ["SGD"]

FAMILY = Family(
    "optimizer",
    {name: getattr(torch.optim, name) for name in NAMES},
    refused={
        "SparseAdam": "it works on sparse gradients only, and no model here has any",
        "LBFGS": "its step needs a closure, which the training loop does not have yet",
        "Muon": "it takes the 2-D weights only and needs a second optimizer for the rest, which is not there yet",
    },
    trial=lambda cls, arguments: cls([torch.nn.Parameter(torch.empty(1, 1))], **arguments),
    types={"line_search_fn": Literal["strong_wolfe"] | None},
)

Optimizer = Annotated[Any, FAMILY]


def default() -> BaseModel:
    """The optimizer of a spec that names none."""
    return FAMILY.parse({"name": "AdamW", "lr": 1e-3})


def build(optimizer: BaseModel, model: torch.nn.Module) -> torch.optim.Optimizer:
    """The torch optimizer over the model's parameters.

    Raises:
        ValueError: torch refuses the arguments; the spec's own check has already met that.
    """
    name = type(optimizer).__name__
    arguments = arguments_of(optimizer)
    if name in FUSED:
        arguments["fused"] = True
    made: torch.optim.Optimizer = FAMILY.classes[name](model.parameters(), **arguments)
    return made
