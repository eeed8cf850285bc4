"""The curves of a classification: their areas are those of its metrics, and few points show their shape."""

import itertools

import pytest
import torch
from torch import Tensor
from torchmetrics.functional.classification import binary_average_precision

from service.workflow.evaluation import evaluate
from service.workflow.look.points import MOST_CURVES, MOST_THRESHOLDS
from service.workflow.look.threshold_curves import threshold_curves
from service.workflow.signature import Signature
from service.workflow.split import Split

CLOSE = 0.005  # of the area under the kept points of a curve


def answered(task: str, rows: int, count: int, digits: int) -> tuple[Signature, Tensor, Tensor, Split]:
    """Probabilities of middling quality, rounded so that many are equal, with a test part of three quarters of the rows."""
    draw = torch.Generator().manual_seed(rows + count)
    logits = torch.randn(rows, count, generator=draw)
    if task == "multilabel":
        truth = (torch.rand(rows, count, generator=draw) < 0.2).double()
        answers = torch.sigmoid(logits + 2 * truth)
        outputs = [{"name": f"label {place}", "type": "label", "classes": [False, True]} for place in range(count)]
    else:
        truth = torch.randint(0, count, (rows, 1), generator=draw).double()
        answers = (logits + 1.5 * torch.nn.functional.one_hot(truth[:, 0].long(), count)).softmax(dim=1)
        outputs = [{"name": "y", "type": "class", "classes": list(range(count))}]
    inputs = [{"name": "x", "type": "number"}]
    signature = Signature.model_validate({"task": task, "inputs": inputs, "outputs": outputs})
    parts = Split(train=torch.arange(rows // 4), validation=torch.arange(0), test=torch.arange(rows // 4, rows))
    return signature, answers.float().round(decimals=digits), truth, parts


@pytest.mark.parametrize("digits", [2, 7])
@pytest.mark.parametrize(("task", "count"), [("binary", 2), ("multiclass", 10), ("multilabel", 3)])
def test_areas_are_those_of_the_metric(task: str, count: int, digits: int) -> None:
    signature, answers, truth, parts = answered(task, 20_000, count, digits)
    made = threshold_curves(signature, answers, truth, parts)
    assert made is not None and made.part == "test" and [each.position for each in made.curves] == list(range(count))
    reported = evaluate(signature, answers, truth, parts).metrics["test"]["auroc"]
    assert sum(each.roc_area for each in made.curves) / count == pytest.approx(reported, abs=1e-6)
    for each in made.curves:
        positive = truth[parts.test, each.position] if task == "multilabel" else truth[parts.test, 0] == each.position
        expected = binary_average_precision(answers[parts.test, each.position].double(), positive.long())
        assert each.average_precision == pytest.approx(expected.item(), abs=1e-6)


def test_a_few_points_show_the_curve_of_all_rows() -> None:
    signature, answers, truth, parts = answered("multiclass", 20_000, 3, 7)
    made = threshold_curves(signature, answers, truth, parts)
    assert made is not None
    for each in made.curves:
        true, false = each.true_positives, each.false_positives
        assert len(true) == len(false) <= MOST_THRESHOLDS and (true[0], false[0]) == (0, 0)
        assert true[-1] == (truth[parts.test, 0] == each.position).sum() and true[-1] + false[-1] == len(parts.test)
        recall = [found / true[-1] for found in true]
        roc = torch.trapezoid(torch.tensor(recall), torch.tensor(false) / false[-1]).item()
        assert roc == pytest.approx(each.roc_area, abs=CLOSE)
        steps = zip(itertools.pairwise(recall), true[1:], false[1:], strict=True)
        area = sum((high - low) * found / (found + other) for (low, high), found, other in steps)
        assert area == pytest.approx(each.average_precision, abs=CLOSE)


def test_of_many_classes_those_with_the_most_rows_have_curves() -> None:
    signature, answers, truth, parts = answered("multiclass", 4000, 50, 7)
    truth[truth == 7] = 8
    made = threshold_curves(signature, answers, truth, parts)
    assert made is not None and len(made.curves) == MOST_CURVES
    counts = torch.bincount(truth[parts.test, 0].long(), minlength=50)
    kept = [each.position for each in made.curves]
    assert kept == sorted(kept) and 8 in kept and 7 not in kept
    assert counts[kept].min() >= counts.sort(descending=True).values[MOST_CURVES - 1]


def test_a_class_without_rows_and_a_part_of_one_class_have_no_curve() -> None:
    signature, answers, truth, parts = answered("multiclass", 400, 3, 7)
    truth[truth == 1] = 2
    made = threshold_curves(signature, answers, truth, parts)
    assert made is not None and [each.position for each in made.curves] == [0, 2]
    made = threshold_curves(signature, answers, torch.zeros_like(truth), parts)
    assert made is not None and made.curves == []
