"""The whole story, from data to an evaluated model."""

from dataclasses import dataclass
from typing import TypeVar

import torch

from service.workflow import losses, optimizers, preprocessing
from service.workflow.data.table import Table
from service.workflow.encode import raw_features, raw_targets
from service.workflow.evaluation import Metrics, baseline, metrics
from service.workflow.look.points import Points, sample
from service.workflow.losses import Output
from service.workflow.model import Model, build_network
from service.workflow.signature import Signature
from service.workflow.spec import TrainingSpec
from service.workflow.split import PARTS, Split, split
from service.workflow.training_loop import Examples, Report, train

T = TypeVar("T")


@dataclass(frozen=True)
class Learned:
    """A trained model and what is to be told of it."""

    model: Model
    metrics: dict[str, Metrics]
    points: Points
    split: Split


def learn(spec: TrainingSpec, signature: Signature, table: Table, report: Report) -> Learned:
    """Data → split → model → loss and optimizer → training loop → evaluate, for a resolved spec.

    Seeds torch's global generator, so it wants a process of its own.

    Raises:
        InvalidData: the data cannot be learned from.
        TrainingDiverged: a loss became NaN or infinite.
    """
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    features, targets = raw_features(signature.inputs, table.columns), raw_targets(signature.outputs, table)
    parts = split(_given(spec.split), len(table))
    model = _draw(spec, signature, features[parts.train], targets[parts.train])
    train(
        model.network,
        losses.build(_given(spec.loss)),
        optimizers.build(_given(spec.optimizer), model.network),
        {name: _examples(model, features[rows], targets[rows]) for name in PARTS for rows in (parts.part(name),)},
        spec.training,
        report,
    )
    model.eval()
    answers = predict(model, features)
    return Learned(
        model=model,
        metrics=_evaluate(signature, answers, targets, parts),
        points=sample(signature, features, targets, answers, parts),
        split=parts,
    )


@torch.inference_mode()
def predict(model: Model, raw: torch.Tensor) -> torch.Tensor:
    """Step 6, predict: answers for raw features [n, d], in the target's units or as probabilities."""
    answers: torch.Tensor = model(raw)
    return answers


def _draw(spec: TrainingSpec, signature: Signature, features: torch.Tensor, targets: torch.Tensor) -> Model:
    """A fresh model whose preprocessing knows the training part only."""
    normalize = _given(spec.preprocessing).normalize
    output = losses.role(_given(spec.loss)).output
    encoder = preprocessing.fit(features, normalize)
    scaling = preprocessing.fit_target(targets) if normalize and output is Output.VALUE else None
    width = features.shape[1] + (0 if encoder is None else len(encoder.indicated))
    torch.manual_seed(spec.training.seed)
    network = build_network(spec, signature, width)
    return Model(network, encoder, scaling, output)


@torch.inference_mode(False)
def _examples(model: Model, features: torch.Tensor, targets: torch.Tensor) -> Examples:
    """A part as the network sees it: encoded once, resident in memory."""
    with torch.no_grad():
        scaled = targets if model.target is None else model.target.scale(targets)
        return Examples(model.encode(features), losses.encode_target(model.output, scaled))


def _evaluate(signature: Signature, answers: torch.Tensor, targets: torch.Tensor, parts: Split) -> dict[str, Metrics]:
    """The metrics of each part that has rows, and the baseline's on the last of them."""
    made = {}
    for name in PARTS:
        rows = parts.part(name)
        if len(rows):
            made[name] = metrics(signature, answers[rows], targets[rows])
            guess = baseline(signature, targets[parts.train], len(rows))
            made["baseline"] = metrics(signature, guess, targets[rows])
    return made


def _given(value: T | None) -> T:
    """A field that a resolved spec always has."""
    if value is None:
        raise ValueError("the spec is not resolved")
    return value
