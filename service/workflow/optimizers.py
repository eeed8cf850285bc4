"""Step 7, the optimizer: the classes of torch.optim that a spec may name."""

import inspect
import math
from functools import cache
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, Field
from torch import nn
from torch.optim import Optimizer as TorchOptimizer

from service.workflow.torch_registry import TorchRegistry, arguments_of, name_of

NAMES = ["ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "LBFGS", "Muon", "NAdam", "RAdam"]
NAMES += ["RMSprop", "Rprop", "SGD"]
STEPS_TRIED = 2  # the first step creates the moments, the second uses them
ITERATIONS_TRIED = 3  # of LBFGS in a step
FUSED = frozenset({"Adagrad", "Adam", "AdamW", "SGD"})  # have a fused implementation on the CPU
WRAPPED = ("add_param_group", "state_dict", "load_state_dict")


@cache
def without_compiler(cls: type[TorchOptimizer]) -> type[TorchOptimizer]:
    """The class with methods that do not import torch.compile. torch's wrappers import it only to disable it, which takes a
    second and 80 MB in each process."""
    own: dict[str, Any] = {"__module__": cls.__module__, "__doc__": cls.__doc__}
    own |= {name: inspect.unwrap(getattr(cls, name)) for name in WRAPPED}
    return type(cls.__name__, (cls,), {**own, "step": torch.no_grad()(inspect.unwrap(cls.step))})


def _trial(cls: type, arguments: dict[str, Any]) -> None:
    """Creates an optimizer and takes steps, because most of torch's checks, and all of its arithmetic, happen in a step."""
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


REGISTRY = TorchRegistry(
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

Optimizer = Annotated[BaseModel, REGISTRY]

DEFAULT = {"name": "AdamW", "lr": 1e-3}
SMALL = 4096  # parameters, below which a fused step is slower than a plain one


def build(optimizer: BaseModel, network: nn.Module) -> list[TorchOptimizer]:
    """The torch optimizers of a network: one, or for Muon two, since it takes 2-D weights only: the other parameters get an
    AdamW with the same learning rate."""
    name, arguments = name_of(optimizer), arguments_of(optimizer)
    parameters = [each for each in network.parameters() if each.requires_grad]
    if name in FUSED:
        arguments |= _implementation(name, parameters)
    if name == "Muon":
        matrices = [each for each in parameters if each.ndim == 2]
        rest = [each for each in parameters if each.ndim != 2]
        muon = REGISTRY.classes[name](matrices, **arguments)
        return [muon, REGISTRY.classes["AdamW"](rest, lr=arguments["lr"], fused=True)] if rest else [muon]
    return [REGISTRY.classes[name](parameters, **arguments)]


def _implementation(name: str, parameters: list[nn.Parameter]) -> dict[str, bool]:
    """The fastest implementation of a step: on a GPU, where each kernel costs a launch, the one with the fewest kernels. torch
    has no fused Adagrad on GPUs."""
    if parameters[0].device.type == "cuda":
        return {"foreach": True} if name == "Adagrad" else {"fused": True}
    fused = sum(each.numel() for each in parameters) >= SMALL
    return {"fused": True} if fused else {"foreach": False}


def misfit(optimizer: BaseModel, network: nn.Module) -> str | None:
    """Why the optimizer cannot train this network, or None."""
    if name_of(optimizer) == "Muon" and not any(each.ndim == 2 and each.requires_grad for each in network.parameters()):
        return "Muon trains 2-D weights, and this model has none; any other optimizer does"
    return None
