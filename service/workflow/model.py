"""Step 4, the model as it is kept: preprocessing, network and target scaling in one module."""

from collections.abc import Mapping

import torch
from torch import nn

from service.workflow import losses
from service.workflow.errors import Fault, InvalidSpec
from service.workflow.losses import Output
from service.workflow.models import OURS
from service.workflow.preprocessing import Preprocessing, TargetScaling, layout
from service.workflow.signature import Signature
from service.workflow.spec import ResolvedSpec
from service.workflow.spec_base import shown
from service.workflow.tasks import Task
from service.workflow.torch_words import in_one_line

ROWS_TRIED = 3


class Model(nn.Module):
    """From raw features [n, slots], NaN for missing, to answers: numbers in the target's units [n, t], or the probability
    of each class [n, classes] or label [n, t]."""

    def __init__(
        self,
        network: nn.Module,
        preprocessing: Preprocessing | None,
        target: TargetScaling | None,
        output: Output,
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
        """What the network learns from."""
        encoded: torch.Tensor = raw if self.preprocessing is None else self.preprocessing(raw)
        return encoded

    def answer(self, values: torch.Tensor) -> torch.Tensor:
        """From what the network puts out to the target's units or to probabilities."""
        values = losses.answers(self.output, values)
        if self.members > 1:
            values = values.unflatten(0, (self.members, -1)).mean(dim=0)
        if self.target is not None:
            values = self.target(values)
        if self.task is Task.BINARY and values.shape[1] == 1:
            values = losses.both_classes(values)
        return values

    def forward(self, raw: torch.Tensor) -> torch.Tensor:
        """Preprocessing, network, and back to the target's units or to probabilities."""
        return self.answer(self.network(self.encode(raw)))

    @property
    def fills_missing(self) -> bool:
        """Whether the model knows what to do with a missing value."""
        return self.preprocessing is not None

    def tensors(self) -> dict[str, torch.Tensor]:
        """The state_dict as it is kept and shown: the network's own names at the top level, then `preprocessing.` and
        `target.`."""
        return {name.removeprefix("network."): tensor for name, tensor in self.state_dict().items()}


def build_network(spec: ResolvedSpec, signature: Signature, columns: int) -> nn.Module:
    """The network of a resolved spec, freshly drawn, for so many encoded columns.

    Raises:
        InvalidSpec: its parts do not fit together, or a plug-in's kind raises.
    """
    output = losses.output_of(spec.loss)
    outputs = losses.width(output, len(signature.outputs), len(signature.classes))
    try:
        return spec.model.build(columns, outputs, losses.head(output))
    except (InvalidSpec, MemoryError):
        raise
    except Exception as error:
        if spec.model.kind in OURS:
            raise
        message = f"the plug-in's kind {shown(spec.model.kind)} refuses this: {in_one_line(error)}"
        raise InvalidSpec(Fault("/model", message)) from error


def draft_network(spec: ResolvedSpec, signature: Signature, columns: int) -> nn.Module:
    """The network without its numbers, to count and check: no memory, and no draw from any generator."""
    with torch.device("meta"):
        return build_network(spec, signature, columns)


def check_step(spec: ResolvedSpec, signature: Signature, columns: int) -> None:
    """Takes a small network forward and backward: layers accept sizes on the meta device that they refuse with numbers.

    Raises:
        InvalidSpec: it cannot learn.
    """
    network = build_network(spec, signature, columns)
    try:
        network(torch.randn(ROWS_TRIED, columns)).sum().backward()
    except Exception as error:  # torch raises what it likes
        raise InvalidSpec(Fault("/model", f"a step of this model's training fails: {in_one_line(error)}")) from None


def restore(spec: ResolvedSpec, signature: Signature, tensors: Mapping[str, torch.Tensor]) -> Model:
    """The model that these tensors are the state of, ready to predict. The tensors are used as they are, not copied."""
    of, preprocessing, target = layout(signature.inputs), None, None
    columns = of.width
    with torch.device("meta"):
        if "preprocessing.fill" in tensors:
            indicated = len(tensors["preprocessing.indicated"])
            preprocessing = Preprocessing(of, indicated, "preprocessing.mean" in tensors)
            columns += indicated
        if "target.mean" in tensors:
            target = TargetScaling(len(signature.outputs))
        network = build_network(spec, signature, columns)
    model = Model(network, preprocessing, target, losses.output_of(spec.loss), signature.task)
    own = {f"{_owner(name)}{name}": tensor for name, tensor in tensors.items()}
    model.load_state_dict(own, assign=True)
    return model.eval().requires_grad_(False)


def _owner(name: str) -> str:
    return "" if name.startswith(("preprocessing.", "target.")) else "network."
