"""Any arguments of an optimizer, a scheduler, a loss or a model are refused as an error of the spec, or the training runs
and ends with a result or a reason. Accepted arguments cost no more than planned."""

import time
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.workflow import losses, optimizers, schedulers
from service.workflow.errors import InvalidData, InvalidSpec, TrainingDiverged
from service.workflow.model import meta_network
from service.workflow.models import KINDS
from service.workflow.spec import parse, parse_resolved
from service.workflow.torch_registry import TorchRegistry
from tests.examples import examples
from tests.workflow.learning import resolved_from, train

RECORDS = [
    {"x": float(i), "z": i * i % 5, "y": 0.5 * i, "n": i, "c": i % 3, "b": bool(i % 2), "d": bool(i % 3)}
    for i in range(8)
]
TARGETS = {"regression": "n", "binary": "b", "multiclass": "c", "multilabel": ["b", "d"]}
NUMBERS = [0, 1, 2, 5, -1, 100, 2**31, 2**53, 2**63 - 1, -(2**63), 2**64 - 1]
FRACTIONS = [0.0, -0.0, 0.1, 0.5, 0.9, 1.0, 1.5, -0.5, 5e-324, 1e-30, 1e9, 1e30, 1e308, -1e308]
WORDS = [
    "",
    "x",
    "none",
    "mean",
    "sum",
    "max",
    "rel",
    "abs",
    "cos",
    "triangular2",
    "strong_wolfe",
    "ReLU",
    "BatchNorm1d",
]
NUMBER = st.sampled_from([*NUMBERS, *FRACTIONS])
VALUES = st.one_of(
    NUMBER,
    st.booleans(),
    st.none(),
    st.sampled_from(WORDS),
    st.lists(NUMBER, max_size=4),
    st.just([[1]]),
    st.just([1] * 300),
    st.dictionaries(st.sampled_from(["true", "0", "b", "x"]), NUMBER, max_size=2),
)
NEEDED: dict[str, dict[str, Any]] = {
    "CosineAnnealingLR": {"T_max": 6},
    "CosineAnnealingWarmRestarts": {"T_0": 2},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.1},
    "ExponentialLR": {"gamma": 0.9},
    "MultiStepLR": {"milestones": [2]},
    "OneCycleLR": {"max_lr": 0.1, "total_steps": 4},
    "StepLR": {"step_size": 2},
    "ChainedScheduler": {"schedulers": [{"name": "LinearLR"}]},
    "SequentialLR": {"schedulers": [{"name": "LinearLR"}, {"name": "ConstantLR"}], "milestones": [2]},
}
MOST_CPU = 3.0  # processor seconds of a refused spec, on a busy machine


def spec(part: str, value: object, task: str = "regression") -> dict[str, Any]:
    """A spec of a small training with this part."""
    data = {"kind": "rows", "records": RECORDS, "target": TARGETS[task], "task": task, "features": ["x", "z"]}
    small = {"kind": "mlp", "hidden": [3]}
    training = {"epochs": 2, "batch_size": 3, "early_stopping": None}
    return {"model_name": "m", "data": data, "model": small, "training": training} | {part: value}


def check(part: str, value: dict[str, Any]) -> None:
    """Assert that the spec is refused at this part, or its training succeeds or fails with a reason."""
    began = time.thread_time()
    try:
        parsed = parse(value)
        resolved = resolved_from(parsed)
        meta_network(resolved.spec, resolved.signature, resolved.inputs)
        orjson.dumps(resolved.spec.to_json())
    except InvalidSpec as refusal:
        assert all(fault.pointer.startswith(f"/{part}") for fault in refusal.faults)
        assert all(len(fault.message) < 1000 and "\n" not in fault.message for fault in refusal.faults)
        assert time.thread_time() - began < MOST_CPU
        return
    try:
        train(value)
    except TrainingDiverged as ended:
        assert "epoch" in str(ended)
    except InvalidData:
        pass


@st.composite
def members(draw: st.DrawFn, family: TorchRegistry) -> dict[str, Any]:
    """A class of a family with one or two unusual arguments, and valid required ones."""
    name = draw(st.sampled_from(list(family.classes)))
    fields = [each for each in family.arguments(name).model_fields if each != "name"]
    odd = draw(st.dictionaries(st.sampled_from(fields), VALUES, min_size=1, max_size=2)) if fields else {}
    return {"name": name, **NEEDED.get(name, {}), **odd}


@given(members(optimizers.REGISTRY))
@settings(deadline=None, max_examples=examples(100))
def test_any_arguments_make_an_optimizer_or_an_error(member: dict[str, Any]) -> None:
    check("optimizer", spec("optimizer", member))


@given(members(schedulers.REGISTRY), st.sampled_from(["SGD", "AdamW", "LBFGS", "Muon", "Adagrad"]))
@settings(deadline=None, max_examples=examples(100))
def test_any_arguments_make_a_scheduler_or_an_error(member: dict[str, Any], optimizer: str) -> None:
    check("scheduler", spec("scheduler", member) | {"optimizer": {"name": optimizer}})


@given(members(losses.REGISTRY), st.data())
@settings(deadline=None, max_examples=examples(100))
def test_any_arguments_make_a_loss_or_an_error(member: dict[str, Any], data: st.DataObject) -> None:
    tasks = sorted(losses.ROLES[member["name"]].tasks)
    check("loss", spec("loss", member, data.draw(st.sampled_from(tasks))))


SIZES = st.sampled_from([*FRACTIONS, 0, 1, 3, -1, 2**16 + 1, 2**31, 2**63])  # accepted losses are trained


@given(st.sampled_from([name for name in KINDS if name != "layers"]), st.data())
@settings(deadline=None, max_examples=examples(60))
def test_any_arguments_make_a_model_or_an_error(kind: str, data: st.DataObject) -> None:
    fields = [each for each in KINDS[kind].model_fields if each != "kind"]
    values = st.one_of(SIZES, st.lists(SIZES, max_size=3), st.booleans(), st.none(), st.sampled_from(WORDS))
    odd = data.draw(st.dictionaries(st.sampled_from(fields), values, max_size=2)) if fields else {}
    check("model", spec("model", {"kind": kind, **odd}, "binary" if kind == "logistic_regression" else "regression"))


REFUSED = [
    ("loss", {"name": "CrossEntropyLoss", "label_smoothing": 2.0}, "/loss/label_smoothing"),
    ("loss", {"name": "CrossEntropyLoss", "weight": {"0": 1e308}}, "/loss/weight/0"),
    ("loss", {"name": "HuberLoss", "delta": 0.0}, "/loss/delta"),
    ("loss", {"name": "GaussianNLLLoss", "eps": 1e308}, "/loss/eps"),
    ("optimizer", {"name": "Adam", "lr": 1e308}, "/optimizer/lr"),
    ("optimizer", {"name": "ASGD", "alpha": 1e308}, "/optimizer/alpha"),
    ("optimizer", {"name": "LBFGS", "history_size": 0}, "/optimizer/history_size"),
    ("optimizer", {"name": "LBFGS", "history_size": 2**40}, "/optimizer/history_size"),
    ("optimizer", {"name": "Muon", "ns_steps": 1000}, "/optimizer/ns_steps"),
    ("scheduler", {"name": "CosineAnnealingLR", "T_max": 0}, "/scheduler/T_max"),
    ("scheduler", {"name": "ConstantLR", "factor": 0.0, "total_iters": 1000}, "/scheduler/factor"),
    ("scheduler", {"name": "PolynomialLR", "power": -1.0, "total_iters": 1000}, "/scheduler/power"),
    ("scheduler", {"name": "ExponentialLR", "gamma": 1e30}, "/scheduler/gamma"),
    ("training", {"accumulation_steps": 2**63}, "/training/accumulation_steps"),
]


@pytest.mark.parametrize(("part", "value", "pointer"), REFUSED)
def test_an_error_torch_raises_in_a_step_is_reported_at_the_argument(part: str, value: Any, pointer: str) -> None:
    task = "multiclass" if value.get("name") == "CrossEntropyLoss" else "regression"
    with pytest.raises(InvalidSpec) as refusal:
        parse(spec(part, value, task))
    assert [fault.pointer for fault in refusal.value.faults] == [pointer]


def test_a_scheduler_that_the_optimizer_does_not_support_is_an_error() -> None:
    value = spec("scheduler", {"name": "CyclicLR", **NEEDED["CyclicLR"]}) | {"optimizer": {"name": "Adagrad"}}
    parsed = parse(value)
    with pytest.raises(InvalidSpec, match="cannot steer Adagrad: optimizer must support momentum") as refusal:
        resolved_from(parsed)
    assert refusal.value.faults[0].pointer == "/scheduler"


def test_a_stored_spec_is_read_without_trying_it_in_torch_again() -> None:
    value = resolved_from(parse(spec("scheduler", {"name": "ConstantLR", "factor": 0.5}))).spec.to_json()
    value["scheduler"]["factor"] = 0.0
    assert parse_resolved(value).to_json() == value
    with pytest.raises(InvalidSpec):
        parse_resolved(value, try_torch=True)


DEEP = {"kind": "mlp", "hidden": [3, 3], "activation": "ELU"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"optimizer": {"name": "SGD", "lr": 1e30}, "loss": {"name": "BCELoss"}, "model": DEEP},
            "train_loss became nan",
        ),
        ({"scheduler": {"name": "ExponentialLR", "gamma": 1e4}, "optimizer": {"name": "SGD", "lr": 1e-9}}, "became"),
        ({"optimizer": {"name": "ASGD", "alpha": 1e8}}, "cannot calculate its step in epoch"),
    ],
)
def test_an_overflow_in_a_later_step_ends_the_training_with_a_reason(changes: dict[str, Any], reason: str) -> None:
    value = spec("training", {"epochs": 40, "batch_size": 3, "early_stopping": None}, "binary") | changes
    with pytest.raises(TrainingDiverged, match=reason):
        train(value)
