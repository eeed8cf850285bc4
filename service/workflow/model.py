"""Step 4, the model: preprocessing, network and target scaling in one module."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

from service.workflow import losses
from service.workflow.encode import answers_dtype
from service.workflow.errors import InvalidSpec, invalid
from service.workflow.losses import OutputKind
from service.workflow.models import OURS
from service.workflow.models.input_shapes import InputShapes
from service.workflow.preprocessing import Preprocessing, TargetScaling, fit, fit_target, layout, network_inputs
from service.workflow.signature import Signature
from service.workflow.spec import ResolvedSpec
from service.workflow.spec_base import shown
from service.workflow.tasks import Task
from service.workflow.torch_errors import torch_message

ROWS_TRIED = 3


class Model(nn.Module):
    """From raw features, NaN for missing, to answers: numbers in the target's units [n, t], or the probability of each
    class [n, classes] or label [n, t]."""

    def __init__(
        self,
        network: nn.Module,
        preprocessing: Preprocessing | None,
        target: TargetScaling | None,
        output: OutputKind,
        task: Task,
    ) -> None:
        super().__init__()
        self.network = network
        self.preprocessing = preprocessing
        self.target = target
        self.output = output
        self.task = task
        self.members: int = getattr(network, "members", 1)  # of an ensemble, whose outputs come member after member

    def encode(self, raw: torch.Tensor) -> torch.Tensor:
        """The network's input."""
        encoded: torch.Tensor = raw if self.preprocessing is None else self.preprocessing(raw)
        return encoded

    def answer(self, values: torch.Tensor) -> torch.Tensor:
        """Answers in the target's units, or probabilities, from the network's output."""
        values = losses.answers(self.output, values)
        if self.members > 1:
            values = values.unflatten(0, (self.members, -1)).mean(dim=0)
        if self.target is not None:
            values = self.target(values)
        if self.task is Task.BINARY and values.shape[1] == 1:
            values = torch.cat([1 - values, values], dim=1)
        return values

    def forward(self, raw: torch.Tensor) -> torch.Tensor:
        """Encodes the features, runs the network, and converts its output into answers."""
        return self.answer(self.network(self.encode(raw)))

    @property
    def fills_missing(self) -> bool:
        """Whether the model accepts missing values."""
        return self.preprocessing is not None

    def tensors(self) -> dict[str, torch.Tensor]:
        """The state_dict as it is saved: the network's names without a prefix, then `preprocessing.` and `target.`."""
        return {name.removeprefix("network."): tensor for name, tensor in self.state_dict().items()}


def create_model(
    spec: ResolvedSpec, signature: Signature, features: torch.Tensor, targets: torch.Tensor, initial: Model | None
) -> Model:
    """A new model, with preprocessing fitted on the training part's raw features [n, w] and targets [n, t], or a copy of
    `initial` to train further. Seeds torch's global generator."""
    output = losses.output_of(spec.loss)
    if initial is not None:
        encoder, scaling = initial.preprocessing, initial.target
    else:
        normalize = spec.preprocessing.normalize
        encoder = fit(layout(signature.inputs), features, normalize)
        dtype = torch.float64 if answers_dtype(signature.outputs) == np.float64 else torch.float32
        scaled = normalize and output in (OutputKind.VALUE, OutputKind.VALUE_AND_VARIANCE)  # not counts
        scaling = fit_target(targets, dtype) if scaled else None
    torch.manual_seed(spec.training.seed)
    network = build_network(spec, signature, network_inputs(signature.inputs, encoder))
    if initial is not None:
        network.load_state_dict(initial.network.state_dict())
    return Model(network, encoder, scaling, output, signature.task)


def build_network(spec: ResolvedSpec, signature: Signature, inputs: InputShapes) -> nn.Module:
    """The network of a resolved spec, freshly initialised.

    Raises:
        InvalidSpec: its parts do not fit together, or a plug-in's kind raises.
    """
    output = losses.output_of(spec.loss)
    outputs = losses.width(output, len(signature.outputs), len(signature.classes))
    try:
        return spec.model.build(inputs, outputs, losses.head(output))
    except (InvalidSpec, MemoryError):
        raise
    except Exception as error:
        if spec.model.kind in OURS:
            raise
        message = f"the plug-in's kind {shown(spec.model.kind)} refuses this: {torch_message(error)}"
        raise invalid("/model", message) from error


def meta_network(spec: ResolvedSpec, signature: Signature, inputs: InputShapes) -> nn.Module:
    """The network on the meta device, without memory or random numbers, to count its parameters and check shapes."""
    with torch.device("meta"):
        return build_network(spec, signature, inputs)


def check_step(spec: ResolvedSpec, signature: Signature, inputs: InputShapes) -> None:
    """Runs a small network forward and backward: on the meta device, layers accept sizes that they refuse with numbers.

    Raises:
        InvalidSpec: a step fails.
    """
    network = build_network(spec, signature, inputs)
    try:
        network(torch.randn(ROWS_TRIED, *inputs.shape)).sum().backward()
    except Exception as error:  # torch raises errors of any type
        raise invalid("/model", f"a step of this model's training fails: {torch_message(error)}") from None


def restore(spec: ResolvedSpec, signature: Signature, tensors: Mapping[str, torch.Tensor]) -> Model:
    """The model with these tensors as its state, ready to predict. The tensors are not copied."""
    model = empty_model(spec, signature, {name: tensor.shape for name, tensor in tensors.items()})
    others = ("preprocessing.", "target.")
    own = {name if name.startswith(others) else f"network.{name}": tensor for name, tensor in tensors.items()}
    model.load_state_dict(own, assign=True)
    return model.eval().requires_grad_(False)


def empty_model(spec: ResolvedSpec, signature: Signature, shapes: Mapping[str, Sequence[int]]) -> Model:
    """The model on the meta device, without memory.

    Args:
        spec: its resolved spec.
        signature: its signature.
        shapes: the shapes of the tensors of its state, which tell what preprocessing it has.
    """
    of, preprocessing, target = layout(signature.inputs), None, None
    with torch.device("meta"):
        if "preprocessing.fill" in shapes:
            indicated = shapes["preprocessing.indicated"][0]
            preprocessing = Preprocessing(of, indicated, "preprocessing.mean" in shapes)
        if "target.mean" in shapes:
            target = TargetScaling(len(signature.outputs))
        network = build_network(spec, signature, network_inputs(signature.inputs, preprocessing))
    return Model(network, preprocessing, target, losses.output_of(spec.loss), signature.task)
