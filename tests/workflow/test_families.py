"""Every supported loss, optimizer, scheduler and layer works; every other name is refused with the reason."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from service.workflow import losses, optimizers, schedulers
from service.workflow.errors import InvalidSpec
from service.workflow.models import layers
from service.workflow.spec import parse
from service.workflow.tasks import Task
from service.workflow.torch_errors import torch_message
from tests.workflow.learning import resolved_from, spec, train

TARGETS = {Task.REGRESSION: "price", Task.BINARY: "dear", Task.MULTICLASS: "kind", Task.MULTILABEL: ["large", "old"]}
ITS_OWN_RATE = {"Adadelta", "Adafactor", "LBFGS"}
NEEDED: dict[str, dict[str, Any]] = {
    "CosineAnnealingLR": {"T_max": 6},
    "CosineAnnealingWarmRestarts": {"T_0": 2},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.1, "cycle_momentum": False},
    "ExponentialLR": {"gamma": 0.9},
    "MultiStepLR": {"milestones": [2]},
    "OneCycleLR": {"max_lr": 0.1, "total_steps": 4},
    "StepLR": {"step_size": 2},
    "ChainedScheduler": {"schedulers": [{"name": "LinearLR"}, {"name": "ExponentialLR", "gamma": 0.9}]},
    "SequentialLR": {
        "schedulers": [{"name": "LinearLR"}, {"name": "ExponentialLR", "gamma": 0.9}],
        "milestones": [2],
    },
}


@pytest.mark.parametrize("name", optimizers.NAMES)
def test_every_optimizer_lowers_the_loss(name: str) -> None:
    rate = {} if name in ITS_OWN_RATE else {"lr": 0.02}
    trained = train(spec("price", optimizer={"name": name, **rate}, training={"batch_size": "full", "epochs": 12}))
    assert trained.losses[-1]["train_loss"] < trained.losses[0]["train_loss"]


@pytest.mark.parametrize(
    ("name", "task"), [(name, task) for name, role in losses.ROLES.items() for task in sorted(role.tasks)]
)
def test_every_loss_is_lowered_for_each_of_its_tasks(name: str, task: Task) -> None:
    target: Any = "visitors" if name == "PoissonNLLLoss" else TARGETS[task]
    optimizer = {"name": "AdamW", "lr": 0.02}
    trained = train(spec(target, loss={"name": name}, data={"task": str(task)}, optimizer=optimizer))
    assert trained.losses[-1]["train_loss"] < trained.losses[0]["train_loss"]
    answers = trained.learned.model(torch.zeros(3, 11))
    assert answers.isfinite().all()
    if task in (Task.BINARY, Task.MULTICLASS):
        assert torch.allclose(answers.sum(dim=1), torch.ones(3), atol=1e-5)


@pytest.mark.parametrize("interval", ["epoch", "step"])
@pytest.mark.parametrize("name", [*schedulers.NAMES, *schedulers.NESTING])
def test_every_scheduler_runs_by_epochs_and_by_steps(name: str, interval: str) -> None:
    scheduler = {"name": name, "interval": interval, **NEEDED.get(name, {})}
    trained = train(spec("price", scheduler=scheduler, training={"epochs": 5}))
    assert trained.losses[-1]["train_loss"] < 10


def test_a_scheduler_changes_the_result() -> None:
    plain = train(spec("price"))
    decayed = train(spec("price", scheduler={"name": "ExponentialLR", "gamma": 0.1}))
    assert plain.losses[0] == decayed.losses[0]
    assert plain.losses[-1] != decayed.losses[-1]


@pytest.mark.parametrize(
    ("ours", "theirs", "base"),
    [
        (optimizers.REGISTRY, torch.optim, torch.optim.Optimizer),
        (losses.REGISTRY, nn, nn.modules.loss._Loss),
        (schedulers.REGISTRY, lr_scheduler, lr_scheduler.LRScheduler),
    ],
)
def test_every_class_of_torch_is_supported_or_refused(ours: Any, theirs: Any, base: type) -> None:
    known = set(ours.classes) | set(ours.refused)
    there = {
        name
        for name, each in vars(theirs).items()
        if isinstance(each, type) and issubclass(each, base) and each is not base and not name.startswith("_")
    }
    assert there - known - {"NLLLoss2d"} == set()


@pytest.mark.parametrize(
    ("part", "value", "pointer", "text"),
    [
        ("optimizer", {"name": "SparseAdam"}, "/optimizer/name", "sparse gradients"),
        ("optimizer", {"name": "adam"}, "/optimizer/name", "did you mean 'Adam'"),
        ("optimizer", {"name": "Adam", "learning_rate": 0.1}, "/optimizer/learning_rate", "known: "),
        ("optimizer", {"name": "Adam", "lr": -1.0}, "/optimizer/lr", "Invalid learning rate"),
        ("optimizer", {"name": "Adam", "betas": [0.9]}, "/optimizer/betas/1", ""),
        ("optimizer", {"name": "Adam", "fused": True}, "/optimizer/fused", "unknown field"),
        ("optimizer", {"lr": 0.1}, "/optimizer", "name"),
        ("optimizer", "Adam", "/optimizer", "name"),
        ("loss", {"name": "TripletMarginLoss"}, "/loss/name", "pairs or triplets"),
        ("loss", {"name": "MSELos"}, "/loss/name", "did you mean 'MSELoss'"),
        ("loss", {"name": "MSELoss", "reduction": "none"}, "/loss/reduction", "'mean' or 'sum'"),
        ("loss", {"name": "CrossEntropyLoss"}, "/loss/name", "these do: L1Loss, MSELoss"),
        ("scheduler", {"name": "LambdaLR"}, "/scheduler/name", "a spec is data"),
        ("scheduler", {"name": "CosineAnnealingLR", "T_max": 0}, "/scheduler/T_max", "its arithmetic fails"),
        ("scheduler", {"name": "ChainedScheduler", "schedulers": [{"name": "X"}]}, "/scheduler/schedulers/0/name", "X"),
        ("model", {"kind": "mpl"}, "/model/kind", "did you mean 'mlp'"),
        ("model", {"kind": "logistic_regression"}, "/model/kind", "the task is regression"),
        ("model", {"kind": "mlp", "hidden": [0]}, "/model/hidden/0", "greater than or equal to 1"),
        ("training", {"batch_size": 1000}, "/training/batch_size", "more than the 112 training rows"),
        ("training", {"device": "tpu"}, "/training/device", "pattern"),
        ("training", {"accumulation_steps": 0}, "/training/accumulation_steps", ""),
    ],
)
def test_an_unsupported_choice_is_refused_with_the_alternatives(part: str, value: Any, pointer: str, text: str) -> None:
    with pytest.raises(InvalidSpec) as refusal:
        train(spec("price", **{part: value}))
    faults = {fault.pointer: fault.message for fault in refusal.value.faults}
    assert text in faults[pointer]


def test_class_weights_are_named_by_class() -> None:
    heavy = {"name": "CrossEntropyLoss", "weight": {"red house": 50.0}}
    plain, weighed = train(spec("kind")), train(spec("kind", loss=heavy))
    position = weighed.learned.signature.classes.index("red house")
    raw = torch.zeros(50, 11)
    assert weighed.learned.model(raw)[:, position].mean() > plain.learned.model(raw)[:, position].mean()
    with pytest.raises(InvalidSpec, match="did you mean 'red house'"):
        train(spec("kind", loss={"name": "CrossEntropyLoss", "weight": {"red hose": 2.0}}))


def test_class_weights_of_a_binary_cross_entropy_equal_repeated_rows() -> None:
    records = [{"x": float(i % 5), "y": bool(i % 3 == 0)} for i in range(60)]
    doubled = records + [each for each in records if each["y"]]
    whole = {"train": 1.0, "shuffle": False}
    features = {"x": {"type": "number"}}

    def first_loss(rows: list[dict[str, Any]], loss: dict[str, Any]) -> float:
        data = {"records": rows, "features": features}
        settings = {"epochs": 1, "batch_size": "full"}
        trained = train(
            spec("y", data=data, split=whole, loss=loss, training=settings, preprocessing={"normalize": False})
        )
        return trained.losses[0]["train_loss"]

    weighed = first_loss(records, {"name": "BCEWithLogitsLoss", "reduction": "sum", "weight": {"true": 2.0}})
    repeated = first_loss(doubled, {"name": "BCEWithLogitsLoss", "reduction": "sum"})
    assert weighed * len(records) == pytest.approx(repeated * len(doubled), rel=1e-4)


LAYERS = [
    {"name": "Linear", "out_features": 32},
    {"name": "BatchNorm1d"},
    {"name": "GELU"},
    {"name": "LayerNorm"},
    {"name": "Unflatten", "dim": 1, "unflattened_size": [4, 8]},
    {"name": "Conv1d", "out_channels": 6, "kernel_size": 3},
    {"name": "AvgPool1d", "kernel_size": 2},
    {"name": "Flatten"},
    {"name": "Dropout", "p": 0.1},
    {"name": "Linear"},
]


def test_input_sizes_of_layers_are_inferred() -> None:
    trained = train(spec("price", model={"kind": "layers", "layers": LAYERS}))
    shapes = {name: tuple(tensor.shape) for name, tensor in trained.learned.model.tensors().items()}
    assert shapes["0.weight"][0] == 32
    assert shapes["1.weight"] == (32,)
    assert shapes["5.weight"] == (6, 4, 3)
    assert shapes["9.weight"] == (1, 18)
    assert trained.losses[-1]["train_loss"] < trained.losses[0]["train_loss"]


@pytest.mark.parametrize(
    ("stack", "pointer", "text"),
    [
        ([{"name": "Linear", "out_features": 8}, {"name": "Conv2d", "out_channels": 2, "kernel_size": 3}], 1, "[n, 8]"),
        ([{"name": "Linear"}, {"name": "ReLU"}, {"name": "Linear"}], 0, "out_features"),
        ([{"name": "Linear", "in_features": 3, "out_features": 8}, {"name": "Linear"}], 0, "layer 1, Linear"),
        ([{"name": "Linear", "out_features": 8}, {"name": "ReLU"}], 1, "the stack ends in [n, 8]"),
        ([{"name": "LSTM", "hidden_size": 3}], 0, "it takes [n, steps, width]"),
        ([{"name": "Bilinear"}], 0, "more than one tensor"),
        ([{"name": "Lineaar"}], 0, "did you mean 'Linear'"),
        ([], "", "at least 1"),
    ],
)
def test_layers_with_incompatible_shapes_are_named(stack: list[Any], pointer: int | str, text: str) -> None:
    from service.workflow.model import meta_network

    with pytest.raises(InvalidSpec) as refusal:
        parsed = parse(spec("price", model={"kind": "layers", "layers": stack}))
        resolved = resolved_from(parsed)
        meta_network(resolved.spec, resolved.signature, resolved.inputs)
    fault = refusal.value.faults[0]
    assert fault.pointer.startswith(f"/model/layers{'' if pointer == '' else f'/{pointer}'}")
    assert text in f"{fault.pointer} {fault.message}"


def test_the_table_of_layers_matches_the_signatures_of_torch() -> None:
    for name in layers.NAMES:
        arguments = layers.REGISTRY.arguments(name).model_fields
        assert "device" not in arguments
        assert "inplace" not in arguments


@pytest.mark.parametrize(
    ("message", "reduced"),
    [
        ("Invalid learning rate: -1\nmore of it", "Invalid learning rate: -1"),
        ('x INTERNAL ASSERT FAILED at "/pytorch/aten/src/a.cpp":1', "torch cannot do this"),
        ("cannot open /usr/lib/torch", "torch cannot do this"),
        ("<object at 0x7fe0bb33f290> is none", "torch cannot do this"),
        ("", "torch cannot do this"),
    ],
)
def test_messages_of_torch_are_reduced_to_the_arguments(message: str, reduced: str) -> None:
    assert torch_message(RuntimeError(message)) == reduced
