"""Step 7, the loss: the classes of torch.nn that a spec may name, and how each interprets the model's output."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn

from service.workflow.errors import invalid, step
from service.workflow.signature import Signature
from service.workflow.spec_base import COUNTED, nearest, shown
from service.workflow.tasks import Task
from service.workflow.torch_registry import TorchRegistry, arguments_of, name_of


class OutputKind(Enum):
    """The meaning of a network's output."""

    VALUE = auto()  # the target, in the trained scale
    VALUE_AND_VARIANCE = auto()  # the target, and the inverse softplus of its variance
    RATE = auto()  # a Poisson rate; the head is a Softplus
    LOG_RATE = auto()  # the logarithm of a Poisson rate
    PROBABILITY = auto()  # of the second class or of each label; the head is a Sigmoid
    LOGIT = auto()  # of the second class or of each label
    LOG_PROBABILITIES = auto()  # one for each class; the head is a LogSoftmax
    SCORES = auto()  # one for each class


@dataclass(frozen=True)
class Role:
    """How a loss interprets the network's output, and the tasks that it fits."""

    output: OutputKind
    tasks: frozenset[Task]


_NUMBERS = frozenset({Task.REGRESSION})
_YES_OR_NO = frozenset({Task.BINARY, Task.MULTILABEL})
_CLASSES = frozenset({Task.BINARY, Task.MULTICLASS})

ROLES = {
    "L1Loss": Role(OutputKind.VALUE, _NUMBERS),
    "MSELoss": Role(OutputKind.VALUE, _NUMBERS),
    "HuberLoss": Role(OutputKind.VALUE, _NUMBERS),
    "SmoothL1Loss": Role(OutputKind.VALUE, _NUMBERS),
    "GaussianNLLLoss": Role(OutputKind.VALUE_AND_VARIANCE, _NUMBERS),
    "PoissonNLLLoss": Role(OutputKind.LOG_RATE, _NUMBERS),
    "BCELoss": Role(OutputKind.PROBABILITY, _YES_OR_NO),
    "BCEWithLogitsLoss": Role(OutputKind.LOGIT, _YES_OR_NO),
    "SoftMarginLoss": Role(OutputKind.LOGIT, _YES_OR_NO),
    "MultiLabelSoftMarginLoss": Role(OutputKind.LOGIT, frozenset({Task.MULTILABEL})),
    "MultiLabelMarginLoss": Role(OutputKind.LOGIT, frozenset({Task.MULTILABEL})),
    "CrossEntropyLoss": Role(OutputKind.SCORES, _CLASSES),
    "NLLLoss": Role(OutputKind.LOG_PROBABILITIES, _CLASSES),
    "MultiMarginLoss": Role(OutputKind.SCORES, _CLASSES),
}

_PAIRS = "it compares pairs or triplets of examples, and a row of a table is one example"
_LAYER = "it is a layer with weights of its own, not a loss of (output, target)"
REFUSED = {
    "AdaptiveLogSoftmaxWithLoss": _LAYER,
    "LinearCrossEntropyLoss": _LAYER,
    "CTCLoss": "it aligns sequences, and a row of a table is not one",
    "CosineEmbeddingLoss": _PAIRS,
    "HingeEmbeddingLoss": _PAIRS,
    "MarginRankingLoss": _PAIRS,
    "TripletMarginLoss": _PAIRS,
    "TripletMarginWithDistanceLoss": _PAIRS,
    "KLDivLoss": "its target is a distribution over the classes, and a table holds one class for each row",
}

WEIGHTS = ("weight", "pos_weight")
LEAST_WEIGHT, MOST_WEIGHT = 1e-12, 1e12  # sums of products of these neither overflow nor vanish in float32
Weights = Annotated[
    dict[str, Annotated[float, Field(ge=LEAST_WEIGHT, le=MOST_WEIGHT), COUNTED]] | None,
    Field(description="a weight for each class, or each label, by its name; 1 for those not named"),
]


def _trial(cls: type, arguments: dict[str, Any]) -> None:
    """Creates and calls a loss, because torch checks most arguments only then. Weights, which depend on the classes, are left
    out."""
    made = cls(**{name: value for name, value in arguments.items() if name not in WEIGHTS})
    output = torch.full((2, 2), 0.5, requires_grad=True)
    match ROLES[cls.__name__].output:
        case OutputKind.VALUE_AND_VARIANCE:
            value = WithVariance(made)(output, torch.ones(2, 1))
        case OutputKind.SCORES | OutputKind.LOG_PROBABILITIES:
            value = made(output, torch.tensor([0, 1]))
        case _:
            labels = torch.tensor([[1, 0], [0, 1]])
            value = made(output, labels if cls is nn.MultiLabelMarginLoss else labels.to(torch.float32))
    value.backward()


REGISTRY = TorchRegistry(
    "loss",
    {name: getattr(nn, name) for name in ROLES},
    refused=REFUSED,
    trial=_trial,
    types={
        "reduction": Literal["mean", "sum"],
        "weight": Weights,
        "pos_weight": Weights,
        "ignore_index": Literal[-100],  # no row is ignored, since no target is missing
    },
)
Loss = Annotated[BaseModel, REGISTRY]

_DEFAULTS = {
    Task.REGRESSION: "MSELoss",
    Task.BINARY: "BCEWithLogitsLoss",
    Task.MULTICLASS: "CrossEntropyLoss",
    Task.MULTILABEL: "BCEWithLogitsLoss",
}


def default(task: Task, arguments: Mapping[str, Any] | None = None) -> BaseModel:
    """The loss of a spec without one, with those of the arguments that it has."""
    name = _DEFAULTS[task]
    known = REGISTRY.arguments(name).model_fields
    return REGISTRY.parse({"name": name, **{key: each for key, each in (arguments or {}).items() if key in known}})


def output_of(loss: BaseModel) -> OutputKind:
    """How this loss interprets the network's output."""
    if name_of(loss) == "PoissonNLLLoss" and not arguments_of(loss)["log_input"]:
        return OutputKind.RATE
    return ROLES[name_of(loss)].output


def fitting(task: Task) -> list[str]:
    """The losses that fit a task."""
    return [name for name, role in ROLES.items() if task in role.tasks]


def width(output: OutputKind, targets: int, classes: int) -> int:
    """The number of outputs of the network."""
    if output in (OutputKind.SCORES, OutputKind.LOG_PROBABILITIES):
        return classes
    return 2 * targets if output is OutputKind.VALUE_AND_VARIANCE else targets


def head(output: OutputKind) -> nn.Module | None:
    """The last module that the loss requires of the network, or None."""
    match output:
        case OutputKind.PROBABILITY:
            return nn.Sigmoid()
        case OutputKind.LOG_PROBABILITIES:
            return nn.LogSoftmax(dim=1)
        case OutputKind.RATE:
            return nn.Softplus()
        case _:
            return None


def check_weights(loss: BaseModel, signature: Signature) -> None:
    """Checks the names of the weights.

    Raises:
        InvalidSpec: there is no such class or label, or a loss for this task has no weights.
    """
    known = dict.fromkeys(signature.labels)
    for argument in WEIGHTS:
        weights: Mapping[str, float] = arguments_of(loss).get(argument) or {}
        for name in weights:
            if name not in known:
                what = "label" if signature.task is Task.MULTILABEL else "class"
                message = f"there is no {what} {shown(name)}; {nearest(name, known)}"
                raise invalid(f"/loss/{argument}{step(name)}", message)


def build(loss: BaseModel, signature: Signature) -> nn.Module:
    """The module for the loss of (output, target), with targets encoded by `encode_target`."""
    arguments = arguments_of(loss)
    known = signature.labels
    given = {name: arguments.pop(name, None) for name in WEIGHTS}
    weights = {
        name: torch.tensor([each.get(text, 1.0) for text in known]) for name, each in given.items() if each is not None
    }
    cls = REGISTRY.classes[name_of(loss)]
    if cls is nn.BCELoss:
        cls = OfProbabilities
    if signature.task is Task.BINARY and cls in (OfProbabilities, nn.BCEWithLogitsLoss) and weights:
        return WeightedByClass(cls, arguments, weights)
    made: nn.Module = cls(**arguments, **weights)
    return WithVariance(made) if name_of(loss) == "GaussianNLLLoss" else made


class OfEachMember(nn.Module):
    """A loss on the outputs of an ensemble [members · n, …], member after member, and the targets [n, …]: the mean of the
    members' losses."""

    def __init__(self, loss: nn.Module, sums: bool) -> None:
        super().__init__()
        self.loss = loss
        self.sums = sums

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """The loss. For a network that is no ensemble it is the inner loss."""
        members = len(output) // len(target)
        value: Tensor = self.loss(output, target if members == 1 else torch.cat([target] * members))
        return value / members if self.sums else value


class OfProbabilities(nn.BCELoss):
    """torch's BCELoss, but NaN for NaN, as the other losses are. torch's own raises, and on a GPU leaves CUDA unusable."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:  # noqa: A002 - torch's own name
        """The loss."""
        value = super().forward(input.masked_fill(input.isnan(), 0.5), target)
        return value + (0 * input).sum()


class WithVariance(nn.Module):
    """A loss of (output, target, variance) on an output [n, 2 t]: t means, then t numbers whose softplus is the
    variance."""

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        mean, spread = output.chunk(2, dim=1)
        value: Tensor = self.loss(mean, target, nn.functional.softplus(spread))
        return value


class WeightedByClass(nn.Module):
    """A binary cross entropy on [n, 1] that weights each row by its class."""

    def __init__(self, cls: type, arguments: dict[str, Any], weights: dict[str, Tensor]) -> None:
        super().__init__()
        pos_weight = {"pos_weight": weights["pos_weight"][1:]} if "pos_weight" in weights else {}
        self.loss = cls(**arguments | {"reduction": "none"}, **pos_weight)
        self.sums = arguments["reduction"] == "sum"
        self.register_buffer("weight", weights.get("weight", torch.ones(2)))

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        rows = self.loss(output, target) * self.get_buffer("weight")[target.to(torch.int64)]
        total: Tensor = rows.sum() if self.sums else rows.mean()
        return total


def encode_target(loss: BaseModel, target: Tensor) -> Tensor:
    """The targets [n, t] for the loss: int64 [n] where the network has one output a class, else float32 [n, t]."""
    match name_of(loss):
        case "SoftMarginLoss":
            return (2 * target - 1).to(torch.float32)
        case "MultiLabelMarginLoss":
            return _listed_labels(target)
        case _ if output_of(loss) in (OutputKind.SCORES, OutputKind.LOG_PROBABILITIES):
            return target[:, 0].to(torch.int64)
        case _:
            return target.to(torch.float32)


def answers(output: OutputKind, values: Tensor) -> Tensor:
    """Answers from the network's output: numbers [n, t] in the trained scale, or the probability of each class [n, classes]
    or label [n, t]."""
    match output:
        case OutputKind.VALUE | OutputKind.RATE | OutputKind.PROBABILITY:
            return values
        case OutputKind.VALUE_AND_VARIANCE:
            return values.chunk(2, dim=1)[0]
        case OutputKind.LOG_RATE | OutputKind.LOG_PROBABILITIES:
            return values.exp()
        case OutputKind.LOGIT:
            return torch.sigmoid(values)
        case OutputKind.SCORES:
            return torch.softmax(values, dim=1)


def class_logits(output: OutputKind, values: Tensor) -> Tensor:
    """The logits of all classes [n, classes], whose softmax are the answers of one class out of two or more, from the network's
    output. Finite where that is."""
    match output:
        case OutputKind.PROBABILITY:
            # What float32 cannot tell from 0 or 1 is taken for the last number that it can.
            kept = values.clamp(torch.finfo(torch.float32).tiny, 1 - torch.finfo(torch.float32).eps / 2)
            return torch.cat([(-kept).log1p(), kept.log()], dim=1)
        case OutputKind.LOGIT:
            return torch.cat([torch.zeros_like(values), values], dim=1)
        case _:
            return values


def sums(loss: BaseModel) -> bool:
    """Whether the loss is the sum over a batch's rows rather than the mean."""
    return bool(arguments_of(loss)["reduction"] == "sum")


def counts(loss: BaseModel) -> bool:
    """Whether the loss is for counts: targets of 0 or more."""
    return output_of(loss) in (OutputKind.RATE, OutputKind.LOG_RATE)


def _listed_labels(target: Tensor) -> Tensor:
    """The positions of the true labels first, then -1, as MultiLabelMarginLoss requires."""
    positions = torch.arange(target.shape[1]).expand_as(target)
    order = torch.argsort(target, dim=1, descending=True, stable=True)
    listed = positions.gather(1, order)
    return torch.where(target.gather(1, order) > 0, listed, -1)
