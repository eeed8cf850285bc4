"""The threshold of two classes is the best one of the validation part, and the answers of every format and export follow it."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from service.workflow.decision import decide, decide_array
from service.workflow.errors import InvalidSpec
from service.workflow.evaluation import metrics_of
from service.workflow.learn import predict
from service.workflow.signature import Output, Signature
from service.workflow.spec import parse, parse_resolved
from service.workflow.split import Split
from service.workflow.tasks import Task
from service.workflow.threshold import check_recorded, choose_threshold, decided_by
from service.workflow.threshold_spec import ThresholdSpec
from tests.workflow.learning import houses, resolved_from, train

TWO = Signature(task=Task.BINARY, inputs=[], outputs=[Output(name="y", type="class", classes=["no", "yes"])])
SPECS = [
    {"metric": "f1"},
    {"metric": "balanced_accuracy"},
    {"metric": "accuracy"},
    {"cost": {"false_positive": 1, "false_negative": 5}},
    {"cost": {"false_positive": 0.5, "false_negative": 0}},
]


def parts_of(rows: int) -> Split:
    """All rows in the validation part."""
    nothing = torch.arange(0)
    return Split(nothing, torch.arange(rows), nothing)


def measured(spec: ThresholdSpec, threshold: float, chances: torch.Tensor, truth: torch.Tensor) -> float:
    """What the threshold is chosen by, of answers that it decides."""
    outputs = [TWO.outputs[0].model_copy(update={"threshold": threshold})]
    signature = TWO.model_copy(update={"outputs": outputs})
    if spec.metric is not None:
        value = metrics_of(signature, chances, truth)[spec.metric]
        assert value is not None
        return -value
    assert spec.cost is not None
    said, true = decide(signature, chances) == 1, truth[:, 0] == 1
    wrong = (said & ~true).sum() * spec.cost.false_positive + (~said & true).sum() * spec.cost.false_negative
    return wrong.item() / len(truth)


@pytest.mark.parametrize("about", SPECS)
@settings(max_examples=25)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from([0, 0.1, 0.3, 0.5, 0.50000006, 0.7, 1]), st.booleans()), min_size=2, max_size=30
    )
)
def test_no_other_threshold_is_better(about: dict[str, Any], rows: list[tuple[float, bool]]) -> None:
    spec = ThresholdSpec.model_validate(about)
    positive = torch.tensor([[chance] for chance, _ in rows], dtype=torch.float32)
    chances, truth = torch.cat([1 - positive, positive], dim=1), torch.tensor([[float(yes)] for _, yes in rows])
    found = choose_threshold(spec, TWO, chances, truth, parts_of(len(rows)))
    if len({yes for _, yes in rows}) == 1:
        assert found is None
        return
    assert found is not None and found.rows == len(rows) and found.positive == "yes"
    sign = 1 if spec.metric is None else -1
    assert found.after == pytest.approx(sign * measured(spec, found.threshold, chances, truth))
    assert found.before == pytest.approx(sign * measured(spec, 0.5, chances, truth))
    for other in np.linspace(0, 1, 41):
        assert measured(spec, found.threshold, chances, truth) <= measured(spec, float(other), chances, truth) + 1e-9
    chosen = decided_by(TWO, found)
    check_recorded(found, chosen)
    assert decide(chosen, chances).tolist() == decide_array(chosen, chances.numpy()).tolist()
    assert decided_by(chosen, None) == TWO


def test_where_nothing_is_gained_the_most_probable_class_stays_the_answer() -> None:
    chances = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.1, 0.9]])
    truth = torch.tensor([[0.0], [0.0], [1.0], [1.0]])
    found = choose_threshold(ThresholdSpec(metric="f1"), TWO, chances, truth, parts_of(4))
    assert found is not None and (found.threshold, found.before, found.after) == (0.5, 1, 1)
    assert decided_by(TWO, found).threshold is None
    tie = torch.tensor([[0.5, 0.5]])
    assert (
        decide(TWO, tie).tolist() == decide(decided_by(TWO, found.model_copy(update={"threshold": 0.5})), tie).tolist()
    )


def parts(**more: Any) -> dict[str, Any]:
    """A spec of rare positives with a threshold."""
    rows = [each | {"rare": "yes" if each["price"] > 2.5 else "no"} for each in houses(600)]
    return {
        "model_name": "m",
        "data": {"kind": "rows", "records": rows, "target": "rare", "features": ["size", "colour"]},
        "split": {"train": 0.4, "validation": 0.3, "test": 0.3},
        "model": {"kind": "mlp", "hidden": [8]},
        "training": {"epochs": 15, "seed": 1},
        "threshold": {"cost": {"false_positive": 1, "false_negative": 5}},
    } | more


def test_a_training_decides_by_the_threshold_and_its_metrics_say_so() -> None:
    trained = train(parts())
    learned, found = trained.learned, trained.learned.threshold
    assert found is not None and 0 < found.threshold < 0.5 and found.after < found.before
    assert learned.signature.threshold == found.threshold
    plain = train(parts(threshold=None)).learned
    assert plain.threshold is None and plain.signature.threshold is None
    rows = torch.randint(0, 4, (300, 2), generator=torch.Generator().manual_seed(1)).float()
    assert torch.equal(predict(learned.model, rows), predict(plain.model, rows))
    own, other = learned.evaluation, plain.evaluation
    for name in ("log_loss", "auroc", "ece"):
        assert own.metrics["test"][name] == other.metrics["test"][name]
    assert own.metrics["baseline"] == other.metrics["baseline"]
    assert own.metrics["test"]["accuracy"] != other.metrics["test"]["accuracy"]
    (_, false), (missed, _) = own.confusion["validation"]
    assert (false + 5 * missed) / found.rows == pytest.approx(found.after)
    groups = learned.slices
    assert groups is not None and groups.positive == "yes"
    selected = [each.selection_rate or 0.0 for column in groups.columns for each in column.groups]
    theirs = [each.selection_rate or 0.0 for column in (plain.slices or groups).columns for each in column.groups]
    assert sum(selected) > sum(theirs)
    again = parse_resolved(trained.resolved.spec.to_json())
    assert again.threshold == trained.resolved.spec.threshold
    assert "threshold" not in parse(parts(threshold=None)).to_json()


@pytest.mark.parametrize(
    ("more", "pointer", "message"),
    [
        ({"data": {"target": "kind"}}, "/threshold", "multiclass model"),
        ({"data": {"target": "price"}}, "/threshold", "regression model"),
        ({"split": {"validation": 40}}, "/threshold", "at least 50 rows, and this one has 40"),
        ({"threshold": {}}, "/threshold", "exactly one"),
        ({"threshold": {"metric": "f1", "cost": {"false_positive": 1, "false_negative": 1}}}, "/threshold", "one of"),
        ({"threshold": {"cost": {"false_positive": 0, "false_negative": 0}}}, "/threshold/cost", "both costs are 0"),
        ({"threshold": {"metric": "f2"}}, "/threshold/metric", "f1"),
        ({"threshold": {"cost": {"false_positive": -1, "false_negative": 1}}}, "/threshold/cost/false_positive", ""),
        ({"threshold": {"cost": {"false_positive": 1}}}, "/threshold/cost/false_negative", ""),
    ],
)
def test_a_threshold_that_makes_no_sense_is_refused(more: dict[str, Any], pointer: str, message: str) -> None:
    given = parts()
    data = given["data"] | more.pop("data", {})
    with pytest.raises(InvalidSpec) as refused:
        resolved_from(parse(given | more | {"data": data}))
    assert refused.value.faults[0].pointer == pointer and message in refused.value.faults[0].message
