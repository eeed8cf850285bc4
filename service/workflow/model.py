"""Step 4, the model: preprocessing, network and target scaling in one module."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import nn

from service.workflow import losses
from service.workflow.encode import answers_dtype, shaped_inputs, table_inputs
from service.workflow.errors import InvalidSpec, invalid
from service.workflow.freezing import freeze
from service.workflow.input_tensors import Tensors
from service.workflow.losses import OutputKind
from service.workflow.models import OURS
from service.workflow.models.bag import BagOfNetworks
from service.workflow.models.input_shapes import FEATURES, InputShapes
from service.workflow.models.number_embedding import NumberEmbedding, bin_edges
from service.workflow.preprocessing import Preprocessing, TargetScaling, fit, fit_target, layout, network_inputs
from service.workflow.scaling import Scaling, fit_scaling
from service.workflow.signature import Input, Signature
from service.workflow.spec import ResolvedSpec
from service.workflow.spec_base import shown
from service.workflow.tasks import Task
from service.workflow.temperature import Temperature
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
        scalings: Mapping[str, Scaling] | None = None,
        columns: bool = True,
        shaped: bool = False,
    ) -> None:
        super().__init__()
        self.network = network
        self.preprocessing = preprocessing
        self.target = target
        self.output = output
        self.task = task
        self.columns = columns  # whether it takes columns of a table
        self.shaped = shaped  # whether it takes values that have a shape
        # Of the inputs whose values have a shape: by position, since a name may be no name of a module.
        self.scaled = list(scalings or {})
        self.inputs = nn.ModuleList((scalings or {}).values())
        self.members: int = getattr(network, "members", 1)  # of an ensemble, whose outputs come member after member
        self.calibration: Temperature | None = None

    def prepare(self, raw: Tensors) -> Tensors:
        """The raw features with the columns of a table encoded. `finish` does the rest."""
        if self.preprocessing is None:
            return raw
        if isinstance(raw, torch.Tensor):
            encoded: torch.Tensor = self.preprocessing(raw)
            return encoded
        return raw | {FEATURES: self.preprocessing(raw[FEATURES])}

    def finish(self, prepared: Tensors) -> Tensors:
        """The network's input, from prepared features: scales the inputs whose values have a shape. Uses the device of the
        tensors."""
        if isinstance(prepared, torch.Tensor):
            return prepared
        by_name = dict(zip(self.scaled, self.inputs, strict=True))
        made = {name: by_name[name](each) if name in by_name else each for name, each in prepared.items()}
        return made if len(made) > 1 else next(iter(made.values()))

    def encode(self, raw: Tensors) -> Tensors:
        """The network's input."""
        return self.finish(self.prepare(raw))

    def answer(self, values: torch.Tensor) -> torch.Tensor:
        """Answers in the target's units, or probabilities, from the network's output."""
        if self.calibration is not None:
            calibrated: torch.Tensor = self.calibration(self._logits(values))
            return calibrated
        values = losses.answers(self.output, values)
        if self.members > 1:
            values = values.unflatten(0, (self.members, -1)).mean(dim=0)
        if self.target is not None:
            values = self.target(values)
        if self.task is Task.BINARY and values.shape[1] == 1:
            values = torch.cat([1 - values, values], dim=1)
        return values

    def _logits(self, values: torch.Tensor) -> torch.Tensor:
        """The logits [n, classes] from the network's output. Those of an ensemble are the logarithms of its mean
        probabilities."""
        logits = losses.class_logits(self.output, values)
        if self.members > 1:
            logits = logits.log_softmax(dim=1).unflatten(0, (self.members, -1)).logsumexp(dim=0)
        return logits

    def logits(self, raw: Tensors) -> torch.Tensor:
        """The logits [n, classes] of a model of classes for raw features: what a temperature divides."""
        return self._logits(self.network(self.encode(raw)))

    def forward(self, raw: Tensors) -> torch.Tensor:
        """Encodes the features, runs the network, and converts its output into answers."""
        return self.answer(self.network(self.encode(raw)))

    @property
    def fills_missing(self) -> bool:
        """Whether the model accepts missing values: those whose values have a shape have a neutral one for them."""
        return self.preprocessing is not None or not self.columns

    @property
    def scalings(self) -> dict[str, Scaling]:
        """The scaling of each input whose values have a shape and are no ids."""
        return {name: each for name, each in zip(self.scaled, self.inputs, strict=True) if isinstance(each, Scaling)}

    def tensors(self) -> dict[str, torch.Tensor]:
        """The state_dict as it is saved: the network's names without a prefix, then `preprocessing.`,
        `target.` and `calibration.`."""
        return {_saved_name(name): tensor for name, tensor in self.state_dict().items()}


def _saved_name(name: str) -> str:
    return f"preprocessing.{name}" if name.startswith("inputs.") else name.removeprefix("network.")


def _own_name(name: str) -> str:
    """The name in the module of a tensor that is saved with this name."""
    if name.startswith("preprocessing.inputs."):
        return name.removeprefix("preprocessing.")
    return name if name.startswith(("preprocessing.", "target.", "calibration.")) else f"network.{name}"


def create_model(
    spec: ResolvedSpec,
    signature: Signature,
    features: Tensors,
    targets: torch.Tensor,
    train: torch.Tensor,
    initial: Model | None,
    prepared: Model | None = None,
) -> Model:
    """A new model, with preprocessing fitted on the training part or that of `prepared`, or a copy of `initial` to train further.
    Seeds torch's global generator.

    Args:
        features: raw features of all rows.
        targets: of all rows, [n, t].
        train: the positions of the training part's rows, int64 [m].
    """
    output = losses.output_of(spec.loss)
    if (given := initial or prepared) is not None:
        encoder, scaling, scalings = given.preprocessing, given.target, given.scalings
    else:
        normalize = spec.preprocessing.normalize
        columns = features if isinstance(features, torch.Tensor) else features.get(FEATURES)
        encoder = None if columns is None else fit(layout(signature.inputs), columns[train], normalize)
        scalings = dict(_fit_scalings(signature.inputs, features, train, normalize))
        targets = targets[train]
        dtype = torch.float64 if answers_dtype(signature.outputs) == np.float64 else torch.float32
        scaled = normalize and output in (OutputKind.VALUE, OutputKind.VALUE_AND_VARIANCE)  # not counts
        scaling = fit_target(targets, dtype) if scaled else None
    torch.manual_seed(spec.training.seed)
    network = build_network(spec, signature, network_inputs(signature.inputs, encoder))
    if initial is not None:
        network.load_state_dict(initial.network.state_dict())
    elif encoder is not None:
        _fit_embeddings(network, encoder, features, train)
    return Model(network, encoder, scaling, output, signature.task, scalings, *_takes(signature.inputs))


def with_network(model: Model, network: nn.Module) -> Model:
    """The model with another network for the same inputs and outputs."""
    takes = model.columns, model.shaped
    return Model(network, model.preprocessing, model.target, model.output, model.task, model.scalings, *takes)


def _fit_embeddings(network: nn.Module, encoder: Preprocessing, features: Tensors, train: torch.Tensor) -> None:
    """Fits the bins of numbers to the training part. The edges are found in the raw columns and encoded like rows, which keeps
    their order."""
    for module in network.modules():
        if isinstance(module, NumberEmbedding):
            columns = features if isinstance(features, torch.Tensor) else features[FEATURES]
            edges = columns.new_zeros(module.bins + 1, columns.shape[1])
            numbers = encoder.layout.numbers
            edges[:, numbers] = bin_edges(columns[train][:, numbers], module.bins)
            module.fit(encoder(edges)[:, : len(numbers)])


def _fit_scalings(
    inputs: Sequence[Input], features: Tensors, train: torch.Tensor, normalize: bool
) -> Iterator[tuple[str, Scaling]]:
    for each, kind in shaped_inputs(inputs):
        if kind.ids(each) is None:
            assert not isinstance(features, torch.Tensor)  # noqa: S101 - with such an input they are a dict
            raw = features[each.name]
            yield each.name, fit_scaling(raw, train, kind.channel_axis(raw.shape[1:]), normalize)


def build_network(spec: ResolvedSpec, signature: Signature, inputs: InputShapes) -> nn.Module:
    """The network of a resolved spec, freshly initialised; of a bag one of its networks.

    Raises:
        InvalidSpec: its parts do not fit together, or a plug-in's kind raises.
    """
    output = losses.output_of(spec.loss)
    outputs = losses.width(output, len(signature.outputs), len(signature.classes))
    try:
        network = spec.model.build(inputs, outputs, losses.head(output))
        freeze(network, spec.training.freeze or ())
        return network
    except (InvalidSpec, MemoryError):
        raise
    except Exception as error:
        if spec.model.kind in OURS:
            raise
        message = f"the plug-in's kind {shown(spec.model.kind)} refuses this: {torch_message(error)}"
        raise invalid("/model", message) from error


def answering_network(spec: ResolvedSpec, signature: Signature, inputs: InputShapes) -> nn.Module:
    """The network that a version has: one, or the bag of all folds'. Raises as `build_network` does."""
    networks = [build_network(spec, signature, inputs) for _ in range(spec.split.networks)]
    return networks[0] if len(networks) == 1 else BagOfNetworks(networks)


def meta_network(spec: ResolvedSpec, signature: Signature, inputs: InputShapes) -> nn.Module:
    """That of `build_network` on the meta device, without memory or random numbers, to count its parameters and check shapes."""
    with torch.device("meta"):
        return build_network(spec, signature, inputs)


def check_step(spec: ResolvedSpec, signature: Signature, inputs: InputShapes) -> None:
    """Runs a small network forward and backward: on the meta device, layers accept sizes that they refuse with numbers.

    Raises:
        InvalidSpec: a step fails.
    """
    network = build_network(spec, signature, inputs)
    try:
        network(_random(inputs)).sum().backward()
    except Exception as error:  # torch raises errors of any type
        raise invalid("/model", f"a step of this model's training fails: {torch_message(error)}") from None


def _random(inputs: InputShapes) -> Tensors:
    """Random numbers for a network; ids are 0."""

    def fill(each: torch.Tensor) -> torch.Tensor:
        return each.normal_() if each.is_floating_point() else each

    zeros = inputs.zeros(ROWS_TRIED)
    return fill(zeros) if isinstance(zeros, torch.Tensor) else {name: fill(each) for name, each in zeros.items()}


def restore(spec: ResolvedSpec, signature: Signature, tensors: Mapping[str, torch.Tensor]) -> Model:
    """The model with these tensors as its state, ready to predict. The tensors are not copied."""
    model = empty_model(spec, signature, {name: tensor.shape for name, tensor in tensors.items()})
    model.load_state_dict({_own_name(name): tensor for name, tensor in tensors.items()}, assign=True)
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
        network = answering_network(spec, signature, network_inputs(signature.inputs, preprocessing))
        scalings = {
            each.name: Scaling(each.shape or (), kind.channel_axis(each.shape or ()))
            for each, kind in shaped_inputs(signature.inputs)
            if kind.ids(each) is None
        }
        calibrated = spec.calibration is not None and "calibration.temperature" in shapes
        calibration = Temperature() if calibrated else None
    output, takes = losses.output_of(spec.loss), _takes(signature.inputs)
    model = Model(network, preprocessing, target, output, signature.task, scalings, *takes)
    model.calibration = calibration
    return model


def _takes(inputs: Sequence[Input]) -> tuple[bool, bool]:
    """Whether there are columns of a table, and values that have a shape."""
    return bool(table_inputs(inputs)), bool(shaped_inputs(inputs))
