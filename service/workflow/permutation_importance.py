"""Permutation importance: by how much a model is worse when one input's values are exchanged between the rows.

After Breiman, "Random Forests", 2001, and Fisher, Rudin and Dominici, "All Models are Wrong, but Many are Useful", 2019. The raw
columns of an input are permuted together, before the model's preprocessing, so an input has one figure however it is encoded.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from service.workflow.encode import raw_width
from service.workflow.forward_cost import measure
from service.workflow.input_tensors import Tensors, take
from service.workflow.look.importance import MOST_INPUTS, Importance, InputImportance
from service.workflow.model import Model
from service.workflow.models.bag import networks_of
from service.workflow.models.input_shapes import FEATURES
from service.workflow.preprocessing import network_inputs
from service.workflow.signature import Input, Signature
from service.workflow.split import Split
from service.workflow.tasks import Task

PERMUTATIONS = 5
MOST_ROWS, FEWEST_ROWS = 2_000, 100
MOST_WORK = 10**11  # multiply-adds of all forwards: some seconds of one core
ENCODED = 30  # operations that encode one raw value, about
LEAST_PROBABILITY = 1e-15  # as in the metric `log_loss`


@dataclass(frozen=True)
class _Place:
    """Where an input is in the raw features: its tensor's name, and there its columns; None are the whole tensor."""

    name: str
    columns: slice | None


def permutation_importance(
    signature: Signature, model: Model, features: Tensors, targets: Tensor, parts: Split, seed: int, at_once: int
) -> Importance | None:
    """The importance of each input on evenly spaced rows of the validation part; without one of the test part, else of the
    training part. The same for the same seed, by a generator of its own.

    Args:
        features: the raw features of all rows.
        targets: of all rows, [n, t]; for classes their positions.
        at_once: the rows of a forward.

    Returns:
        None if there is nothing to measure: less than two rows, targets that are all constant, a loss that is no finite number,
        or a model of which 100 rows are too much work.
    """
    part, rows, count = _bounded(signature, model, parts)
    if len(rows) < 2 or count == 0:
        return None
    measured = _Measured(model, features, rows, at_once, _Loss(signature, targets[rows]))
    loss = measured.loss(None, rows)
    if not math.isfinite(loss):
        return None
    draw = torch.Generator().manual_seed(seed)
    orders = [rows[torch.randperm(len(rows), generator=draw)] for _ in range(PERMUTATIONS)]
    found = []
    for name, place in list(_places(signature.inputs))[:count]:
        rises = [measured.loss(place, order) - loss for order in orders]
        if all(map(math.isfinite, rises)):
            found.append(_summary(name, rises))
    if not found:
        return None
    return Importance(
        part=part,
        rows=len(rows),
        permutations=PERMUTATIONS,
        measure="relative_squared_error" if signature.task is Task.REGRESSION else "log_loss",
        loss=loss,
        inputs=sorted(found, key=lambda each: -each.mean),
        left_out=len(signature.inputs) - len(found),
    )


def _bounded(
    signature: Signature, model: Model, parts: Split
) -> tuple[Literal["validation", "test", "train"], Tensor, int]:
    """The part, the rows, and the number of inputs whose permutations are within `MOST_WORK`: fewer rows of all inputs, and
    with the fewest rows only the first inputs."""
    part: Literal["validation", "test", "train"] = "train"
    if len(parts.validation) > 1:
        part = "validation"
    elif len(parts.test) > 1:
        part = "test"
    rows = parts.part(part)
    forwards = MOST_WORK // work_of_a_row(signature, model) // PERMUTATIONS
    inputs = min(len(signature.inputs), MOST_INPUTS)
    most = min(MOST_ROWS, max(FEWEST_ROWS, forwards // inputs))
    if len(rows) > most:
        rows = rows[torch.linspace(0, len(rows) - 1, most).round().long()]
    return part, rows, min(inputs, forwards // max(1, len(rows)))


def work_of_a_row(signature: Signature, model: Model) -> int:
    """The multiply-adds of a row, about. Of columns alone the parameters say it, once for each member of an ensemble that shares
    them; to measure it may load torch's compiler, which takes 80 MB."""
    if signature.shaped:
        work = measure(model.network, network_inputs(signature.inputs, model.preprocessing)).work
    else:
        work = sum(
            getattr(network, "members", 1) * sum(each.numel() for each in network.parameters())
            for network in networks_of(model.network)
        )
    return work + ENCODED * raw_width(signature.inputs) + 1


def _places(inputs: Sequence[Input]) -> Iterator[tuple[str, _Place]]:
    start = 0
    for each in inputs:
        width = raw_width([each])
        if each.shape is None:
            yield each.name, _Place(FEATURES, slice(start, start + width))
        else:
            yield each.name, _Place(each.name, None)
        start += width


class _Measured:
    """The loss of a model on some rows, in which one input may come from others. Rows are taken a forward at a time, so that
    images are not copied all at once."""

    def __init__(self, model: Model, features: Tensors, rows: Tensor, at_once: int, loss: "_Loss") -> None:
        self._model = model
        self._features = features
        self._rows = rows
        self._at_once = at_once
        self._loss = loss

    @torch.inference_mode()
    def loss(self, place: _Place | None, order: Tensor) -> float:
        """The loss when the input at this place has the values of the rows `order`, int64 [m]."""
        answers = []
        for rows, others in zip(self._rows.split(self._at_once), order.split(self._at_once), strict=True):
            given = take(self._features, rows)
            answers.append(self._model(given if place is None else self._exchanged(given, place, others)))
        return self._loss(torch.cat(answers))

    def _exchanged(self, given: Tensors, place: _Place, others: Tensor) -> Tensors:
        if isinstance(given, Tensor):
            assert isinstance(self._features, Tensor)  # noqa: S101 - its rows are `given`
            return _with_columns(given, self._features, place, others)
        assert not isinstance(self._features, Tensor)  # noqa: S101 - its rows are `given`
        return given | {place.name: _with_columns(given[place.name], self._features[place.name], place, others)}


def _with_columns(given: Tensor, of: Tensor, place: _Place, others: Tensor) -> Tensor:
    """`given`, which is a copy, with the columns at this place of other rows."""
    if place.columns is None:
        return of[others]
    given[:, place.columns] = of[others, place.columns]
    return given


class _Loss:
    """The mean loss of answers for rows with these targets [n, t], in float64."""

    def __init__(self, signature: Signature, truth: Tensor) -> None:
        self._task = signature.task
        self._truth = truth
        if signature.task is Task.REGRESSION:
            self._unit = (truth / 2 - truth.mean(dim=0) / 2).abs().amax(dim=0)  # halved: a difference may overflow
            self._varied = self._unit > 0
            deviations = (truth - truth.mean(dim=0))[:, self._varied] / self._unit[self._varied]
            self._variance = deviations.square().mean(dim=0)

    def __call__(self, answers: Tensor) -> float:
        """Answers are numbers [n, t], or probabilities [n, classes] or [n, labels]."""
        if self._task is Task.REGRESSION:
            errors = (answers.double() - self._truth)[:, self._varied] / self._unit[self._varied]
            return (errors.square().mean(dim=0) / self._variance).mean().item()
        given = answers.double()
        if self._task is Task.MULTILABEL:
            given = torch.where(self._truth > 0, given, 1 - given)
        else:
            given = given.gather(1, self._truth[:, :1].long())
        return -given.clamp(LEAST_PROBABILITY, 1).log().mean().item()


def _summary(name: str, rises: Sequence[float]) -> InputImportance:
    """Mean and population standard deviation."""
    mean = math.fsum(rises) / len(rises)
    spread = math.sqrt(math.fsum((each - mean) ** 2 for each in rises) / len(rises))
    return InputImportance(input=name, mean=mean, std=spread)
