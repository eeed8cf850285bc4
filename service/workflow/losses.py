"""Step 7, the loss: the classes of torch.nn that a spec may name, and how each reads the model's output."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel
from torch import nn

from service.workflow.tasks import Task
from service.workflow.torch_classes import Family, arguments_of


class Output(Enum):
    """What the numbers that leave a model mean."""

    VALUE = auto()  # the target itself, in the trained scale
    PROBABILITY = auto()  # of the second class, through a Sigmoid at the head
    LOGIT = auto()  # of the second class
    LOG_PROBABILITIES = auto()  # one for each class, through a LogSoftmax at the head
    SCORES = auto()  # one for each class


@dataclass(frozen=True)
class Role:
    """For which tasks a loss is made, and what it takes the model's output for."""

    output: Output
    tasks: frozenset[Task]


_REGRESSION = frozenset({Task.REGRESSION})
_BINARY = frozenset({Task.BINARY})
_CLASSES = frozenset({Task.BINARY, Task.MULTICLASS})

ROLES = {
    "L1Loss": Role(Output.VALUE, _REGRESSION),
    "MSELoss": Role(Output.VALUE, _REGRESSION),
    "HuberLoss": Role(Output.VALUE, _REGRESSION),
    "SmoothL1Loss": Role(Output.VALUE, _REGRESSION),
    "BCELoss": Role(Output.PROBABILITY, _BINARY),
    "BCEWithLogitsLoss": Role(Output.LOGIT, _BINARY),
    "CrossEntropyLoss": Role(Output.SCORES, _CLASSES),
    "NLLLoss": Role(Output.LOG_PROBABILITIES, _CLASSES),
    "MultiMarginLoss": Role(Output.SCORES, _CLASSES),
}

_PAIRS = "it compares pairs or triplets of examples, and a row of a table is one example"
REFUSED = {
    "AdaptiveLogSoftmaxWithLoss": "it is a layer with weights of its own, not a loss of (output, target)",
    "LinearCrossEntropyLoss": "it is a layer with weights of its own, not a loss of (output, target)",
    "CTCLoss": "it aligns sequences, and a row of a table is not one",
    "CosineEmbeddingLoss": _PAIRS,
    "HingeEmbeddingLoss": _PAIRS,
    "MarginRankingLoss": _PAIRS,
    "TripletMarginLoss": _PAIRS,
    "TripletMarginWithDistanceLoss": _PAIRS,
    "KLDivLoss": "its target is a distribution over the classes, and a table holds one class for each row",
    "MultiLabelMarginLoss": "several labels for one row are not supported yet",
    "MultiLabelSoftMarginLoss": "several labels for one row are not supported yet",
    "GaussianNLLLoss": "a predicted variance is not supported yet",
    "PoissonNLLLoss": "counts as a target are not supported yet",
    "SoftMarginLoss": "targets of -1 and 1 are not supported yet; BCEWithLogitsLoss is the same loss on 0 and 1",
}

FAMILY = Family(
    "loss",
    {name: getattr(nn, name) for name in ROLES},
    refused=REFUSED,
    trial=lambda cls, arguments: cls(**arguments),
    types={"reduction": Literal["mean", "sum"], "weight": None, "pos_weight": None, "ignore_index": Literal[-100]},
)

Loss = Annotated[Any, FAMILY]

_DEFAULTS = {Task.REGRESSION: "MSELoss", Task.BINARY: "BCEWithLogitsLoss", Task.MULTICLASS: "CrossEntropyLoss"}


def default(task: Task) -> BaseModel:
    """The loss of a spec that names none."""
    return FAMILY.parse({"name": _DEFAULTS[task]})


def role(loss: BaseModel) -> Role:
    """How this loss reads the output."""
    return ROLES[type(loss).__name__]


def fitting(task: Task) -> list[str]:
    """The losses that are made for a task."""
    return [name for name, each in ROLES.items() if task in each.tasks]


def width(output: Output, targets: int, classes: int) -> int:
    """How many numbers leave the model for one row."""
    return classes if output in (Output.SCORES, Output.LOG_PROBABILITIES) else targets


def head(output: Output) -> nn.Module | None:
    """The module that must end the model so that its output is what the loss expects; None for none."""
    return {Output.PROBABILITY: nn.Sigmoid(), Output.LOG_PROBABILITIES: nn.LogSoftmax(dim=1)}.get(output)


def build(loss: BaseModel) -> nn.Module:
    """The torch loss, called with (output, target)."""
    made: nn.Module = FAMILY.classes[type(loss).__name__](**arguments_of(loss))
    return made


def encode_target(output: Output, target: torch.Tensor) -> torch.Tensor:
    """The target as the loss wants it: int64 [n] where there is one output a class, else float32 [n, t]."""
    if output in (Output.SCORES, Output.LOG_PROBABILITIES):
        return target[:, 0].to(torch.int64)
    return target.to(torch.float32)


def probabilities(output: Output, values: torch.Tensor) -> torch.Tensor:
    """Probabilities [n, classes] from the model's output [n, width]."""
    match output:
        case Output.PROBABILITY:
            return torch.cat([1 - values, values], dim=1)
        case Output.LOGIT:
            second = torch.sigmoid(values)
            return torch.cat([1 - second, second], dim=1)
        case Output.LOG_PROBABILITIES:
            return values.exp()
        case _:
            return torch.softmax(values, dim=1)
