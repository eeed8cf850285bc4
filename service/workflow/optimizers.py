"""Step 7, the optimizer: the classes of torch.optim that a spec may name."""

import inspect
import math
from functools import cache
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, Field
from torch import nn
from torch.optim import Optimizer as TorchOptimizer

from service.workflow.torch_registry import Family, arguments_of

NAMES = ["ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "LBFGS", "Muon", "NAdam", "RAdam"]
NAMES += ["RMSprop", "Rprop", "SGD"]
STEPS_TRIED = 2  # the first begins the moments, the second has some
ITERATIONS_TRIED = 3  # of LBFGS in a step
FUSED = frozenset({"Adagrad", "Adam", "AdamW", "SGD"})  # one C++ call a step on the CPU
WRAPPED = ("add_param_group", "state_dict", "load_state_dict")


@cache
def without_compiler(cls: type[TorchOptimizer]) -> type[TorchOptimizer]:
    """The class without torch.compile, which torch's wrappers around these methods import only to switch it off: in a second
    or more, and 80 MB of every process."""
    own: dict[str, Any] = {"__module__": cls.__module__, "__doc__": cls.__doc__}
    own |= {name: inspect.unwrap(getattr(cls, name)) for name in WRAPPED}
    return type(cls.__name__, (cls,), {**own, "step": torch.no_grad()(inspect.unwrap(cls.step))})


def _trial(cls: type, arguments: dict[str, Any]) -> None:
    """Makes an optimizer and lets it step: most of torch's own checks, and all of its arithmetic, come with a step."""
    if isinstance(arguments.get("max_iter"), int):
        arguments = {**arguments, "max_iter": min(arguments["max_iter"], ITERATIONS_TRIED)}
    weight = nn.Parameter(torch.ones(1, 1))
    optimizer = cls([weight], **arguments)

    def closure() -> torch.Tensor:
        weight.grad = torch.ones(1, 1)
        return weight.detach().sum()

    for _ in range(STEPS_TRIED):
        optimizer.step(closure)
    if not math.isfinite(value := weight.item()):
        raise ValueError(f"a weight becomes {value} in the first steps")


FAMILY = Family(
    "optimizer",
    {name: without_compiler(getattr(torch.optim, name)) for name in NAMES},
    refused={"SparseAdam": "it works on sparse gradients only, and no model here has any"},
    trial=_trial,
    types={
        "history_size": (int, Field(default=100, ge=1, le=10_000, description="steps that are remembered")),
        "line_search_fn": Literal["strong_wolfe"] | None,
        "adjust_lr_fn": Literal["original", "match_rms_adamw"] | None,
    },
)

Optimizer = Annotated[BaseModel, FAMILY]

DEFAULT = {"name": "AdamW", "lr": 1e-3}
SMALL = 4096  # parameters below which a fused step costs more than a plain one


def name_of(optimizer: BaseModel) -> str:
    """The name of the torch class."""
    return type(optimizer).__name__


def build(optimizer: BaseModel, network: nn.Module) -> list[TorchOptimizer]:
    """The torch optimizers over the network's parameters: one, but for Muon, which takes the 2-D weights only and leaves
    the rest to an AdamW of the same learning rate."""
    name, arguments = name_of(optimizer), arguments_of(optimizer)
    parameters = list(network.parameters())
    if name in FUSED:
        arguments |= _implementation(name, parameters)
    if name == "Muon":
        matrices = [each for each in parameters if each.ndim == 2]
        rest = [each for each in parameters if each.ndim != 2]
        muon = FAMILY.classes[name](matrices, **arguments)
        return [muon, FAMILY.classes["AdamW"](rest, lr=arguments["lr"], fused=True)] if rest else [muon]
    return [FAMILY.classes[name](parameters, **arguments)]


def _implementation(name: str, parameters: list[nn.Parameter]) -> dict[str, bool]:
    """Which of torch's implementations of a step is the quickest: on a GPU, where each kernel costs a launch, the one with
    the fewest kernels. Torch has no fused Adagrad there."""
    if parameters[0].device.type == "cuda":
        return {"foreach": True} if name == "Adagrad" else {"fused": True}
    fused = sum(each.numel() for each in parameters) >= SMALL
    return {"fused": True} if fused else {"foreach": False}


def small(optimizer: BaseModel) -> list[TorchOptimizer]:
    """The torch optimizers over the weight and the bias of one number, to be tried."""
    return build(optimizer, nn.Linear(1, 1))


def fits(optimizer: BaseModel, network: nn.Module) -> str | None:
    """Why the optimizer cannot train this network; None when it can."""
    if name_of(optimizer) == "Muon" and not any(each.ndim == 2 for each in network.parameters()):
        return "Muon trains 2-D weights, and this model has none; any other optimizer does"
    return None
