"""How kinds for values with a shape are trained when the spec does not say."""

from typing import Any

import pytest

from service.workflow.models import KINDS
from service.workflow.models.input_shapes import InputShapes, InputTensor
from service.workflow.models.kind import ModelKind
from service.workflow.models.mlp import MLPSpec
from service.workflow.schedulers import default
from service.workflow.spec import TrainingSpec, parse
from service.workflow.tasks import Task
from service.workflow.training import ResolvedSettings, steps
from tests.workflow.learning import resolved_from, spec

DIGIT = InputShapes({"x": InputTensor((1, 28, 28), "image")})
PHOTO = InputShapes({"x": InputTensor((3, 64, 64), "image")})
TEXT = InputShapes({"x": InputTensor((200,), "text", ids=1000)})


def settings(kind: str, rows: int, inputs: InputShapes) -> dict[str, Any]:
    return KINDS[kind].model_validate({}).training_defaults(rows, inputs)


@pytest.mark.parametrize(
    ("kind", "inputs", "rows", "epochs", "batch"),
    [
        ("cnn", DIGIT, 7000, 10, 128),
        ("cnn", DIGIT, 1_000_000, 5, 128),
        ("cnn", PHOTO, 1145, 40, 32),
        ("cnn", PHOTO, 1, 400, 1),
        ("text_embedding", TEXT, 11_000, 10, 128),
    ],
)
def test_epochs_and_batches_follow_from_rows_and_shapes(
    kind: str, inputs: InputShapes, rows: int, epochs: int, batch: int
) -> None:
    found = settings(kind, rows, inputs)
    assert (found["epochs"], found["batch_size"], found["early_stopping"]) == (epochs, batch, None)


@pytest.mark.parametrize("kind", ["cnn", "transformer", "recurrent", "text_embedding", "fusion"])
def test_every_recipe_is_one_that_a_spec_may_have(kind: str) -> None:
    inputs = TEXT if kind in ("text_embedding", "recurrent") else PHOTO
    found = settings(kind, 100, inputs)
    cycle, of_loss = found.pop("scheduler"), found.pop("loss", {})
    value = {"model_name": "m", "data": spec("kind")["data"], "optimizer": found.pop("optimizer")}
    assert isinstance(parse({**value, "training": found}), TrainingSpec)
    assert default(cycle, 100) is not None and default(cycle, 1) is None
    assert set(of_loss) <= {"label_smoothing"}


def test_larger_images_get_a_stage_more() -> None:
    sizes: list[Any] = [KINDS["cnn"].model_validate({}).sized(9, each) for each in (DIGIT, PHOTO)]
    assert [each.channels for each in sizes] == [[16, 32, 64], [16, 32, 64, 128]]


class Cycled(MLPSpec):
    """An mlp with a recipe."""

    def training_defaults(self, rows: int, inputs: InputShapes) -> dict[str, Any]:
        return settings("cnn", rows, DIGIT) | {"epochs": 4}


def resolved(task: Task, **parts: Any) -> Any:
    target = {Task.REGRESSION: "price", Task.MULTICLASS: "kind"}[task]
    value = {key: each for key, each in spec(target).items() if key != "training"}
    model: ModelKind = Cycled.model_validate({})
    return resolved_from(parse(value | parts).model_copy(update={"model": model})).spec


def test_the_cycle_ends_with_the_training() -> None:
    found = resolved(Task.MULTICLASS, training={"epochs": 7, "batch_size": 10})
    rows = 112  # of 160
    assert found.scheduler.total_steps == 7 * 12 == steps(found.training, rows)
    assert found.optimizer.lr == found.scheduler.max_lr == 0.01
    assert found.loss.label_smoothing == 0.05 and found.training.early_stopping is None


@pytest.mark.parametrize(
    "parts", [{"scheduler": None}, {"optimizer": {"name": "SGD", "lr": 0.1}}, {"training": {"epochs": 0}}]
)
def test_a_spec_may_do_without_the_cycle(parts: dict[str, Any]) -> None:
    assert resolved(Task.MULTICLASS, **parts).scheduler is None


def test_a_loss_without_the_argument_is_left_alone() -> None:
    assert resolved(Task.REGRESSION).loss.model_dump()["name"] == "MSELoss"
    assert resolved(Task.MULTICLASS, loss={"name": "CrossEntropyLoss"}).loss.label_smoothing == 0.0


@pytest.mark.parametrize(
    ("rows", "size", "accumulated"), [(10, 3, 1), (11, 3, 1), (9, 3, 2), (5, "full", 1), (7, 3, 3)]
)
def test_steps_are_those_that_the_loop_takes(rows: int, size: Any, accumulated: int) -> None:
    import torch

    from service.workflow.batches import TrainingBatches
    from service.workflow.examples import Examples

    made = ResolvedSettings(epochs=1, batch_size=size, accumulation_steps=accumulated)
    batches = TrainingBatches(Examples(torch.zeros(rows, 1), torch.zeros(rows)), made)
    assert len(list(batches.next_epoch(1))) == steps(made, rows)
