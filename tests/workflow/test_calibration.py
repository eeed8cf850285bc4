"""Calibrated answers: the temperature fits, leaves the order of the classes, and is a part of the model and of its exports."""

import math
import random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from service.workflow.calibration import FEWEST
from service.workflow.errors import InvalidSpec
from service.workflow.evaluation import evaluate
from service.workflow.learn import predict
from service.workflow.model import restore
from service.workflow.reliability import BINS, reliability
from service.workflow.signature import Signature
from service.workflow.spec import parse, parse_resolved
from service.workflow.split import Split
from service.workflow.temperature import LEAST, MOST, Temperature, fit, log_loss
from tests.workflow.learning import Trained, resolved_from, train

CLASSES = ["a", "b", "c"]
WIDTH = 8  # features of a row
OVERCONFIDENT = {"epochs": 300, "batch_size": 32, "early_stopping": None, "seed": 1}
LOSSES = {
    "binary": ["BCEWithLogitsLoss", "BCELoss", "SoftMarginLoss", "CrossEntropyLoss"],
    "multiclass": ["CrossEntropyLoss", "NLLLoss", "MultiMarginLoss"],
}


def noisy(classes: int, rows: int = 2500) -> list[dict[str, Any]]:
    """Rows whose classes overlap, so that a network with room enough learns those of the training by heart."""
    draw = random.Random(3)  # noqa: S311 - test data
    made = []
    for _ in range(rows):
        place = draw.randrange(classes)
        values = {f"x{at}": draw.gauss(1.5 if at == place else 0, 1) for at in range(WIDTH)}
        made.append({**values, "z": CLASSES[place]})
    return made


def trained(classes: int = 3, **parts: Any) -> Trained:
    """A small network that has learned such rows by heart, unless `parts` say otherwise."""
    data = {"kind": "rows", "records": noisy(classes), "target": "z"}
    split = {"train": 300, "validation": 700, "test": 1500}
    given = {"model_name": "m", "data": data, "split": split, "model": {"kind": "mlp", "hidden": [64, 64]}}
    return train(given | {"training": OVERCONFIDENT} | parts)


def raw(rows: int = 200) -> torch.Tensor:
    """Raw features, some of them far away."""
    return torch.randn(rows, WIDTH, generator=torch.Generator().manual_seed(5)) * 10


@pytest.mark.parametrize(("task", "loss"), [(task, loss) for task, names in LOSSES.items() for loss in names])
def test_an_overconfident_network_is_calibrated(task: str, loss: str) -> None:
    given = {"loss": {"name": loss}, "optimizer": {"name": "AdamW", "lr": 0.005}}
    given["training"] = OVERCONFIDENT | {"epochs": 120}
    classes = 2 if task == "binary" else 3
    after, before = trained(classes, **given).learned, trained(classes, calibration=None, **given).learned
    assert before.calibration is None and before.model.calibration is None
    found, part = after.calibration, "validation"
    assert found is not None and found.rows == len(after.split.validation)
    assert found.log_loss_after < found.log_loss_before
    mine, theirs = after.evaluation.metrics, before.evaluation.metrics
    assert mine[part]["log_loss"] == pytest.approx(found.log_loss_after, rel=1e-4)
    if task == "multiclass":  # of two classes 1 - p in float32 is 0 where the logits still tell it from 0
        assert theirs[part]["log_loss"] == pytest.approx(found.log_loss_before, rel=0.02)
    for name in ("log_loss", "ece"):
        own_value, other_value = mine["test"][name], theirs["test"][name]
        assert own_value is not None and other_value is not None and own_value < other_value
    own, others = predict(after.model, raw()), predict(before.model, raw())
    assert torch.equal(own.argmax(dim=1), others.argmax(dim=1))
    assert own.sum(dim=1).sub(1).abs().max() < 1e-6


@pytest.mark.parametrize("classes", [2, 3])
def test_an_ensemble_is_calibrated_on_its_mean(classes: int) -> None:
    given: dict[str, Any] = {"model": {"kind": "tabm", "width": 64, "members": 4, "dropout": 0.0}}
    given["training"] = OVERCONFIDENT | {"epochs": 150}
    after, before = trained(classes, **given).learned, trained(classes, calibration=None, **given).learned
    assert after.calibration is not None
    others = predict(before.model, raw()).double()
    expected = (others.clamp_min(1e-30).log() / after.calibration.temperature).softmax(dim=1)
    near = others.amax(dim=1) < 0.9999  # of the rest float32 has no logarithm of 1 - p
    assert near.sum() > 20
    assert predict(after.model, raw())[near].double().sub(expected[near]).abs().max() < 2e-3


def test_the_temperature_is_saved_with_the_model() -> None:
    made = trained()
    tensors = made.learned.model.tensors()
    assert made.learned.calibration is not None
    assert tensors["calibration.temperature"].item() == made.learned.calibration.temperature
    again = restore(made.resolved.spec, made.learned.signature, tensors)
    assert torch.equal(predict(again, raw()), predict(made.learned.model, raw()))


def test_the_same_training_gives_the_same_temperature() -> None:
    assert trained().learned.calibration == trained().learned.calibration


def test_few_rows_a_regression_and_null_are_not_calibrated() -> None:
    few = {"train": 400, "validation": 40, "test": 2060}
    assert resolved_from(parse(given_of(split=few))).spec.calibration is None
    assert resolved_from(parse(given_of())).spec.calibration == "temperature"
    assert resolved_from(parse(given_of(target="x0"))).spec.calibration is None
    unwanted = resolved_from(parse(given_of(calibration=None))).spec
    assert unwanted.calibration is None and unwanted.to_json()["calibration"] is None


def given_of(target: str = "z", **parts: Any) -> dict[str, Any]:
    """A spec on the rows."""
    return {"model_name": "m", "data": {"kind": "rows", "records": noisy(3), "target": target}} | parts


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"target": "x0", "calibration": "temperature"}, "no probabilities of classes"),
        ({"calibration": "temperature", "split": {"train": 0.8, "test": 0.2}}, f"at least {FEWEST} rows"),
        ({"calibration": "platt"}, "temperature"),
    ],
)
def test_what_cannot_be_calibrated_is_refused_at_its_place(parts: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        resolved_from(parse(given_of(**parts)))
    assert refused.value.faults[0].pointer == "/calibration" and said in refused.value.faults[0].message


def test_a_spec_from_before_means_what_it_meant() -> None:
    """It has no such field, and its answers are not calibrated when it is opened or trained further from a queue."""
    recorded = resolved_from(parse(given_of())).spec.to_json()
    del recorded["calibration"]
    opened = parse_resolved(recorded)
    assert opened.calibration is None and opened.to_json() == recorded


LOGITS = st.integers(0, 2**31).flatmap(
    lambda seed: st.tuples(st.just(seed), st.integers(2, 6), st.integers(2, 300), st.floats(0.01, 50))
)


@given(LOGITS)
@settings(max_examples=60, deadline=None)
def test_the_temperature_is_the_best_one_and_keeps_the_order(drawn: tuple[int, int, int, float]) -> None:
    seed, classes, rows, scale = drawn
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, classes, generator=draw) * scale
    truth = torch.multinomial((logits / scale).softmax(dim=1), 1, generator=draw)[:, 0]
    found = fit(logits, truth)
    assert LEAST * (1 - 1e-9) <= found <= MOST * (1 + 1e-9)
    rest = 1 / (rows + 2)

    def smoothed(temperature: float) -> float:
        scaled = (logits.double() / temperature).log_softmax(dim=1)
        return -((1 - rest) * scaled.gather(1, truth[:, None])[:, 0] + rest * scaled.mean(dim=1)).mean().item()

    others = [LEAST * (MOST / LEAST) ** (step / 60) for step in range(61)]
    assert smoothed(found) <= min(map(smoothed, others)) + 1e-6
    scaled = Temperature(found)(logits)
    assert torch.equal(scaled.argmax(dim=1), logits.argmax(dim=1))
    order = logits.argsort(dim=1)
    assert (scaled.gather(1, order).diff(dim=1) >= 0).all()


def test_the_temperature_of_many_rows_is_the_true_one() -> None:
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(40_000, 4, generator=draw) * 2
    truth = torch.multinomial(logits.softmax(dim=1), 1, generator=draw)[:, 0]
    assert fit(logits, truth) == pytest.approx(1, rel=0.02)
    assert fit(logits * 3, truth) == pytest.approx(3, rel=0.02)
    assert log_loss(logits * 3, truth, 3.0) == pytest.approx(log_loss(logits, truth, 1.0))


def test_where_every_row_is_right_the_answers_do_not_become_certain() -> None:
    truth = torch.arange(60) % 3
    logits = torch.nn.functional.one_hot(truth, 3).float() * 3
    sure = Temperature(fit(logits, truth))(logits).amax(dim=1)
    assert 0.95 < sure.min().item() < 1 - 1 / 200


def answered(probabilities: torch.Tensor, truth: torch.Tensor) -> tuple[Signature, torch.Tensor, torch.Tensor, Split]:
    """These answers as those of a test part."""
    output = {"name": "y", "type": "class", "classes": list(range(probabilities.shape[1]))}
    signature = {"task": "multiclass", "inputs": [{"name": "x", "type": "number"}], "outputs": [output]}
    nothing = torch.arange(0)
    parts = Split(train=torch.arange(len(truth)), validation=nothing, test=torch.arange(len(truth)))
    return Signature.model_validate(signature), probabilities, truth[:, None].double(), parts


@given(st.integers(0, 2**31), st.integers(3, 6), st.integers(1, 400), st.floats(0.1, 3))
@settings(max_examples=40, deadline=None)
def test_the_error_is_that_of_torchmetrics_and_of_the_plot(seed: int, classes: int, rows: int, scale: float) -> None:
    from torchmetrics.functional.classification import multiclass_calibration_error

    draw = torch.Generator().manual_seed(seed)
    # In float64, where none of them is 1: torchmetrics has a bin of its own for that.
    probabilities = (torch.randn(rows, classes, generator=draw).double() * scale).softmax(dim=1)
    truth = torch.randint(0, classes, (rows,), generator=draw)
    given = answered(probabilities, truth)
    found = evaluate(*given).metrics["test"]["ece"]
    expected = multiclass_calibration_error(probabilities, truth, num_classes=classes, n_bins=BINS)
    assert found == pytest.approx(expected.item(), abs=1e-6)
    made = reliability(*given)
    assert made is not None and made.part == "test" and sum(made.bins.rows) == rows
    assert made.bins.error == pytest.approx(found)


def test_an_answer_that_is_not_finite_has_no_error() -> None:
    given = answered(torch.tensor([[0.5, 0.3, 0.2], [math.nan] * 3]), torch.tensor([0, 1]))
    assert evaluate(*given).metrics["test"]["ece"] is None and reliability(*given) is None
