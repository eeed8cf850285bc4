"""Metrics by group: those of the last part with rows, for the values of its columns."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import torch
from torch import Tensor

from service.workflow.data.table import Numbers, Table, plain
from service.workflow.data.types.names import Scalar
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.decision import decide
from service.workflow.evaluation import metrics_of
from service.workflow.evaluation_spec import EvaluationSpec
from service.workflow.groups import RowGroup, groups_of
from service.workflow.moments import power_of_two
from service.workflow.signature import Signature
from service.workflow.slice_report import (
    FEWEST_OF_A_RATE,
    FEWEST_ROWS,
    MOST_GROUPS,
    ColumnGroups,
    Group,
    Slices,
    WorstGroup,
)
from service.workflow.split import Split
from service.workflow.tasks import LABEL_THRESHOLD, Task

CONFIDENCE = 0.95  # of all groups together
RATES = ("selection_rate", "true_positive_rate", "false_positive_rate")


@dataclass(frozen=True)
class Grouping:
    """The groups of the evaluated rows by one column."""

    column: str
    groups: list[RowGroup]


def slices(
    spec: EvaluationSpec | None, signature: Signature, table: Table, answers: Tensor, targets: Tensor, parts: Split
) -> Slices | None:
    """The metrics by group on the test part, or else the validation part; None if neither has rows, or there are no groups.

    Groups are by the columns that the spec names, then by each input that is a category or a boolean with at most
    `MOST_VALUES` values, then by the quarters of each number or time, as long as they are `MOST_GROUPS` at most.

    Args:
        table: has the columns, and as many rows as `answers`.
        answers, targets: as `evaluate` takes them.
    """
    part = next((name for name in ("test", "validation") if len(parts.part(name))), None)
    if part is None:
        return None
    rows = parts.part(part).numpy()
    found, left_out = _groupings([] if spec is None else spec.by, signature, table, rows)
    if not found:
        return None
    ours, truth = answers[rows], targets[rows]
    errors, at = _errors(signature, ours, truth), np.argsort(rows)
    order = rows[at]

    def places(group: RowGroup) -> Numbers:
        """Where the rows of a group are among those of the part."""
        return np.asarray(at[np.searchsorted(order, group.rows)])

    whole = metrics_of(signature, ours, truth)
    metric = "mae" if signature.task is Task.REGRESSION else "accuracy"
    columns = []
    for each in found:
        made = [_group(signature, group, places(group), ours, truth, whole[metric], metric) for group in each.groups]
        columns.append(_with_largest_differences(each.column, made))
    worst = _worst(found, [[places(group) for group in each.groups] for each in found], errors, metric)
    positive = signature.classes[1] if len(signature.classes) == 2 else None
    about = {"part": part, "rows": len(rows), "metric": metric, "positive": positive, "columns": columns}
    return Slices.model_validate({**about, "left_out": left_out, "worst": worst})


def _groupings(named: list[str], signature: Signature, table: Table, rows: Numbers) -> tuple[list[Grouping], int]:
    """The groups by each column, and how many columns had none left."""
    made: list[Grouping] = []
    count = left_out = 0
    for name in [*named, *_by_default(named, signature)]:
        column = table.columns[name]
        if count > MOST_GROUPS - 2:  # fewer than any column has
            left_out += 1
            continue
        groups = groups_of(plain(column), rows, _named_by(signature, name))
        if name not in named and not _comparable(groups):
            continue
        if count + len(groups) > MOST_GROUPS:
            left_out += 1
            continue
        made.append(Grouping(name, groups))
        count += len(groups)
    return made, left_out


def _by_default(named: list[str], signature: Signature) -> Iterator[str]:
    """The inputs whose values make groups: categories and booleans before numbers and times."""
    typed = [(each.name, COLUMN_TYPES[each.type]) for each in signature.inputs if each.name not in named]
    yield from (name for name, kind in typed if not kind.shaped and kind.chart_type == "N")
    yield from (name for name, kind in typed if not kind.shaped and kind.chart_type != "N")


def _named_by(signature: Signature, name: str) -> Callable[[float], Scalar]:
    """How readers see the numbers of a column."""
    kind = next((COLUMN_TYPES[each.type] for each in signature.inputs if each.name == name), None)

    def named(number: float) -> Scalar:
        return number if kind is None else kind.plotted(number)

    return named


def _comparable(groups: list[RowGroup]) -> bool:
    """Whether all values have a group, and two or more of them enough rows for metrics."""
    whole = not any("other" in each.about for each in groups)
    return whole and sum(len(each.rows) >= FEWEST_ROWS for each in groups) > 1


def _group(
    signature: Signature,
    group: RowGroup,
    places: Numbers,
    answers: Tensor,
    truth: Tensor,
    whole: float | None,
    metric: str,
) -> Group:
    if len(places) < FEWEST_ROWS or "other" in group.about:
        return Group(**group.about, rows=len(places))
    ours, theirs = answers[places], truth[places]
    metrics = metrics_of(signature, ours, theirs)
    own = metrics[metric]
    difference = None if own is None or whole is None else _finite(own - whole)
    made = {**group.about, "rows": len(places), "metrics": metrics, "difference": difference}
    return Group.model_validate({**made, **_rates(signature, ours, theirs)})


def _rates(signature: Signature, answers: Tensor, truth: Tensor) -> dict[str, float | None]:
    """With two classes, the shares of rows that are predicted to be the second one."""
    if len(signature.classes) != 2:
        return {}
    chosen, true = decide(signature, answers) == 1, truth[:, 0] == 1
    found = (chosen, chosen[true], chosen[~true])
    fewest = (FEWEST_ROWS, FEWEST_OF_A_RATE, FEWEST_OF_A_RATE)
    return {
        name: each.double().mean().item() if len(each) >= least else None
        for name, each, least in zip(RATES, found, fewest, strict=True)
    }


def _with_largest_differences(column: str, groups: list[Group]) -> ColumnGroups:
    """The groups of a column, and how far their rates are apart: demographic parity compares the selection rates, equalised
    odds the true and the false positive rates (Hardt, Price, Srebro: Equality of Opportunity in Supervised Learning, 2016)."""
    apart = {}
    for name in RATES:
        rates = [rate for each in groups if (rate := getattr(each, name)) is not None]
        apart[name] = max(rates) - min(rates) if len(rates) > 1 else None
    odds = [each for each in (apart[RATES[1]], apart[RATES[2]]) if each is not None]
    return ColumnGroups(
        column=column,
        groups=groups,
        demographic_parity_difference=apart[RATES[0]],
        equalised_odds_difference=max(odds) if odds else None,
    )


def _errors(signature: Signature, answers: Tensor, truth: Tensor) -> Numbers:
    """The error of each row [n], of which the headline metric is the mean: the share of wrong classes or labels, or the mean
    absolute error."""
    match signature.task:
        case Task.REGRESSION:
            made = (answers.to(torch.float64) - truth).abs().mean(dim=1)
        case Task.MULTILABEL:
            made = ((answers > LABEL_THRESHOLD) != (truth > 0)).double().mean(dim=1)
        case _:
            made = (decide(signature, answers) != truth[:, 0]).double()
    return made.numpy()


def _worst(found: list[Grouping], places: list[list[Numbers]], errors: Numbers, metric: str) -> WorstGroup | None:
    """The group with the largest lower bound of how much worse it is than the other rows. The bound is that of a difference of
    two means with one variance, at `CONFIDENCE` for all groups together (Bonferroni): so small groups, and the many, do not come
    first by chance. None if no group can be compared."""
    size = len(errors)
    compared = [
        (each.column, group, at)
        for each, positions in zip(found, places, strict=True)
        for group, at in zip(each.groups, positions, strict=True)
        if FEWEST_ROWS <= len(at) <= size - FEWEST_ROWS and "other" not in group.about
    ]
    unit = power_of_two(torch.tensor(errors).abs().amax()).item()
    scaled = errors / unit
    if not compared or not np.isfinite(scaled).all():
        return None
    total, spread = scaled.sum(), scaled.std()
    quantile = NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / len(compared))
    best: tuple[float, WorstGroup] | None = None
    for column, group, at in compared:
        own, count = scaled[at].sum(), len(at)
        ours, others = own / count, (total - own) / (size - count)
        margin = quantile * spread * math.sqrt(1 / count + 1 / (size - count))
        bound = ours - others - margin
        in_units = (ours * unit, others * unit, margin * unit)
        if np.isfinite(in_units).all() and (best is None or bound > best[0]):
            best = bound, _as_worst(column, group, in_units, metric)
    return None if best is None else best[1]


def _as_worst(column: str, group: RowGroup, errors: tuple[float, float, float], metric: str) -> WorstGroup:
    """The record of a group, by the errors of its rows and of the others, and the margin of their difference."""
    ours, others, margin = map(float, errors)
    shown = (ours, others) if metric == "mae" else (1 - ours, 1 - others)
    beyond = ours - others > margin
    return WorstGroup(
        **group.about,
        rows=len(group.rows),
        column=column,
        of_group=shown[0],
        of_others=shown[1],
        margin=margin,
        beyond_chance=beyond,
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
