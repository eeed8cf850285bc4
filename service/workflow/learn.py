"""The whole story, from data to an evaluated model."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from service.workflow import losses, optimizers, preprocessing
from service.workflow.batches import Examples
from service.workflow.data.table import Table
from service.workflow.device import choose_device, make_deterministic
from service.workflow.encode import answers_dtype, fit_categories, raw_features, raw_targets, slots, with_targets
from service.workflow.errors import InvalidData
from service.workflow.evaluation import Evaluation, evaluate
from service.workflow.learner import Learner
from service.workflow.look.points import Points
from service.workflow.look.sampling import sample
from service.workflow.model import Model, build_network
from service.workflow.schedulers import Schedule
from service.workflow.signature import Signature
from service.workflow.spec import ResolvedSpec
from service.workflow.spec_base import shown
from service.workflow.split import PARTS, Split, split
from service.workflow.state import State
from service.workflow.training_loop import AfterStep, Report, train

LEARNED_FROM = ("train", "validation")


@dataclass(frozen=True)
class Learned:
    """A trained model and what is to be told of it."""

    model: Model
    signature: Signature
    evaluation: Evaluation
    points: Points
    split: Split


def learn(
    spec: ResolvedSpec,
    signature: Signature,
    table: Table,
    report: Report,
    initial: Model | None = None,
    *,
    after_step: AfterStep | None = None,
    saved: State | None = None,
    stage: Callable[[str], None] = lambda _: None,
) -> Learned:
    """Data → split → model → loss and optimizer → training loop → evaluate, for a resolved spec.

    Seeds torch's global generator, so it wants a process of its own. `initial` gives its weights and preprocessing;
    `saved` is a state that `after_step` was once offered (see `train`); `stage` is told the name of each that begins.

    Raises:
        InvalidData: the data cannot be learned from.
        TrainingDiverged: a loss became NaN or infinite.
        CheckpointUnfit: `saved` is of another training.
    """
    stage("prepare")
    make_deterministic(spec.training.deterministic)
    table = with_targets(signature.outputs, table)
    parts = split(spec.split, table)
    if initial is None:
        inputs = fit_categories(signature.inputs, table, parts.train)
        signature = signature.model_copy(update={"inputs": inputs})
    features, targets = raw_features(signature.inputs, table.columns), raw_targets(signature.outputs, table)
    model = _draw(spec, signature, features[parts.train], targets[parts.train], initial)
    device = choose_device(spec.training.device)
    examples = {name: _examples(spec, model, features, targets, parts.part(name), device) for name in PARTS}
    for name in LEARNED_FROM:
        _check_range(signature, examples[name])
    model.network.to(device)
    loss, sums = losses.build(spec.loss, signature), losses.sums(spec.loss)
    chosen = optimizers.build(spec.optimizer, model.network)
    learner = Learner(
        network=model.network,
        loss=(losses.OfEachMember(loss, sums) if model.members > 1 else loss).to(device),
        sums=sums,
        optimizers=chosen,
        schedule=Schedule(spec.scheduler, chosen),
        settings=spec.training,
    )
    stage("train")
    train(learner, examples, report, after_step, saved)
    stage("evaluate")
    model.to("cpu").eval()
    answers = predict(model, features)
    return Learned(
        model=model,
        signature=signature,
        evaluation=evaluate(signature, answers, targets, parts),
        points=sample(signature, table, targets, answers, parts, model.network),
        split=parts,
    )


@torch.inference_mode()
def predict(model: Model, raw: torch.Tensor, rows: int = 65_536) -> torch.Tensor:
    """Step 6, predict: answers for raw features [n, slots], in the target's units or as probabilities."""
    return torch.cat([model(chunk) for chunk in raw.split(rows)])


def _draw(
    spec: ResolvedSpec, signature: Signature, features: torch.Tensor, targets: torch.Tensor, initial: Model | None
) -> Model:
    """A fresh model whose preprocessing knows the training part only; or one that goes on where another has ended."""
    output = losses.output_of(spec.loss)
    if initial is not None:
        encoder, scaling = initial.preprocessing, initial.target
    else:
        normalize = spec.preprocessing.normalize
        encoder = preprocessing.fit(preprocessing.layout(signature.inputs), features, normalize)
        answers = torch.float64 if answers_dtype(signature.outputs) == np.float64 else torch.float32
        scaling = preprocessing.fit_target(targets, answers) if normalize and losses.scales_target(output) else None
    width = features.shape[1] if encoder is None else encoder.width
    torch.manual_seed(spec.training.seed)
    network = build_network(spec, signature, width)
    if initial is not None:
        network.load_state_dict(initial.network.state_dict())
    return Model(network, encoder, scaling, output, signature.task)


@torch.no_grad()
def _examples(
    spec: ResolvedSpec,
    model: Model,
    features: torch.Tensor,
    targets: torch.Tensor,
    rows: torch.Tensor,
    device: torch.device,
) -> Examples:
    """A part as the network sees it: encoded once, resident in memory."""
    wanted = targets[rows] if model.target is None else model.target.scale(targets[rows])
    encoded = losses.encode_target(spec.loss, wanted)
    return Examples(model.encode(features[rows]).to(device), encoded.to(device))


def _check_range(signature: Signature, examples: Examples) -> None:
    """That what the network sees fits into a float32: a number as it stands may not, nor one that is normalized by a
    training part whose numbers are all much closer together.

    Raises:
        InvalidData: a number does not; its column is named.
    """
    targets = examples.targets.isinf()
    infinite = [*zip(_names(signature), examples.features.isinf().any(dim=0).tolist(), strict=False)]
    if targets.dim() == 2:  # numbers, and no classes
        infinite += zip([each.name for each in signature.outputs], targets.any(dim=0).tolist(), strict=True)
    for name, beyond in infinite:
        if beyond:
            raise InvalidData(
                f"the column {shown(name)} holds a number that is beyond what a network can take (a float32): with `normalize` "
                "that is one very far from those of the training part, without it one above 3.4e38"
            )


def _names(signature: Signature) -> list[str]:
    """Of the inputs that the first encoded columns come from, which are those of numbers."""
    numbers = [each for each in signature.inputs if each.type != "category"]
    return [each.name for each in numbers for _ in range(slots([each]))]
