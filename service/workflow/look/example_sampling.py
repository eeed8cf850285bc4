"""Chooses the examples that the charts of a model with images, clips or texts show."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from service.workflow.data.table import Table, Texts
from service.workflow.decision import decide
from service.workflow.encode import shaped_inputs
from service.workflow.input_tensors import Tensors
from service.workflow.look.examples import (
    LONGEST_LABEL,
    LONGEST_TEXT,
    MOST_GROUPS,
    MOST_OF_A_GROUP,
    MOST_WORST,
    Example,
    Examples,
    Group,
)
from service.workflow.look.pictures import picture, picture_shape
from service.workflow.parts import PARTS
from service.workflow.signature import Signature
from service.workflow.split import Split
from service.workflow.tasks import LABEL_THRESHOLD, Task

NONE = "(none)"  # of several labels


def sample_examples(
    signature: Signature, table: Table, features: Tensors, targets: Tensor, answers: Tensor, parts: Split
) -> Examples | None:
    """The examples of a model with values that have a shape; None for a model of columns only.

    Args:
        features: the raw features of all rows.
        targets: of all rows, [n, t]; for classes their positions.
        answers: of all rows: numbers [n, t], or probabilities of classes [n, classes] or labels [n, t].
    """
    shaped = shaped_inputs(signature.inputs)
    if not shaped or isinstance(features, Tensor):
        return None
    texts = [each.name for each, _ in shaped if isinstance(table.columns[each.name], Texts)]
    pictures = [each.name for each, kind in shaped if kind.ids(each) is None and picture_shape(each.shape)]
    rows = _Rows(
        signature,
        targets,
        answers,
        features[pictures[0]] if pictures else None,
        table.columns[texts[0]] if texts else None,  # type: ignore[arg-type] # it has texts
    )
    part = next(name for name in reversed(PARTS) if len(parts.part(name)))
    judged = parts.part(part)
    worst = judged[_badness(signature, targets[judged], answers[judged]).argsort(descending=True, stable=True)]
    return Examples(
        picture=pictures[0] if pictures else None,
        text=texts[0] if texts else None,
        groups=_groups(rows, parts.train),
        part=part,
        worst=[rows.example(at) for at in worst[:MOST_WORST].tolist()],
        counts={name: _counts(signature, targets[parts.part(name)]) for name in PARTS} if signature.labels else {},
    )


def text_lengths(signature: Signature, table: Table, rows: Tensor) -> dict[str, list[int]]:
    """The characters of each text of these rows (int64 [m]), by input; 0 for a missing one."""
    found = {}
    for each, _ in shaped_inputs(signature.inputs):
        column = table.columns[each.name]
        if isinstance(column, Texts):
            codes = column.codes[rows.numpy()].tolist()
            found[each.name] = [0 if code < 0 else len(column.values[code]) for code in codes]
    return found


@dataclass(frozen=True)
class _Rows:
    """What examples are made of: the raw tensor [n, …] of the pictures and the column of the texts, as far as there are such."""

    signature: Signature
    targets: Tensor
    answers: Tensor
    pictures: Tensor | None
    texts: Texts | None

    def example(self, row: int) -> Example:
        """One row."""
        truth, answer, probability = self._words(self.targets[row], self.answers[row])
        return Example(
            truth=truth[:LONGEST_LABEL],
            answer=answer[:LONGEST_LABEL],
            probability=probability,
            picture=None if self.pictures is None else picture(self.pictures[row]),
            text=None if self.texts is None else _text(self.texts, row),
        )

    def _words(self, truth: Tensor, answer: Tensor) -> tuple[str, str, float | None]:
        labels = self.signature.labels
        if self.signature.task is Task.REGRESSION:
            return _numbers(truth), _numbers(answer), None
        if self.signature.classifies:
            at = int(decide(self.signature, answer[None])[0])
            return labels[int(truth[0])], labels[at], _probability(answer[at])
        said = answer > LABEL_THRESHOLD
        of_answer = torch.where(said, answer, 1 - answer).prod()
        return _named(labels, truth > 0), _named(labels, said), _probability(of_answer)


def _groups(rows: _Rows, train: Tensor) -> list[Group]:
    """Evenly spaced rows of each of the most frequent classes or labels."""
    signature, targets = rows.signature, rows.targets[train]
    if signature.task is Task.REGRESSION:
        ordered = train[targets[:, 0].argsort(stable=True)]
        chosen = _spaced(ordered, MOST_GROUPS * MOST_OF_A_GROUP // 2)
        return [Group(label="", rows=len(train), examples=[rows.example(at) for at in chosen])]
    counts = _counts(signature, targets)
    frequent = sorted(range(len(counts)), key=lambda position: -counts[position])[:MOST_GROUPS]
    groups = []
    for position in sorted(frequent):
        members = train[targets[:, 0] == position if signature.classifies else targets[:, position] > 0]
        examples = [rows.example(at) for at in _spaced(members, MOST_OF_A_GROUP)]
        groups.append(Group(label=signature.labels[position][:LONGEST_LABEL], rows=len(members), examples=examples))
    return [each for each in groups if each.rows]


def _badness(signature: Signature, targets: Tensor, answers: Tensor) -> Tensor:
    """How far each answer is from the truth, [n]: what is missing to a probability of 1 of the class, else the largest distance
    from a label or, in deviations of the targets, from a number."""
    if signature.classifies:
        return 1 - answers.gather(1, targets.long())[:, 0]
    missed = (answers - targets).abs()
    if signature.task is Task.REGRESSION:
        missed = missed / targets.std(dim=0, correction=0).clamp_min(1e-12)
    return missed.nan_to_num(torch.inf).amax(dim=1)


def _counts(signature: Signature, targets: Tensor) -> list[int]:
    """The rows of each class, or with each label."""
    if signature.classifies:
        counted: list[int] = torch.bincount(targets[:, 0].long(), minlength=len(signature.labels)).tolist()
        return counted
    return [int(each) for each in (targets > 0).sum(dim=0)]


def _spaced(rows: Tensor, count: int) -> list[int]:
    if len(rows) <= count:
        spaced: list[int] = rows.tolist()
        return spaced
    return [int(each) for each in rows[torch.linspace(0, len(rows) - 1, count).round().long()]]


def _numbers(values: Tensor) -> str:
    return ", ".join(f"{each:.4g}" for each in values[:4].tolist()) + (", …" if len(values) > 4 else "")


def _named(labels: Sequence[str], true: Tensor) -> str:
    return ", ".join(labels[at] for at in true.nonzero()[:, 0].tolist()) or NONE


def _probability(value: Tensor) -> float | None:
    return min(max(value.item(), 0.0), 1.0) if value.isfinite() else None


def _text(column: Texts, row: int) -> str:
    code = int(column.codes[row])
    given = "" if code < 0 else column.values[code]
    return given if len(given) <= LONGEST_TEXT else f"{given[: LONGEST_TEXT - 1]}…"
