"""The heads of a fusion: by default each encoder has one of its own for classes and labels, and an answer is the mean of all."""

import pytest
import torch
from torch import Tensor

from service.workflow.models import KINDS
from service.workflow.models.fusion import EachHeaded
from service.workflow.models.input_shapes import InputShapes, InputTensor
from service.workflow.tasks import Task

PHOTO, NOTE, FEATURES = InputTensor((3, 9, 10), "image"), InputTensor((7,), "text", ids=50), InputTensor((3,))
INPUTS = InputShapes({"photo": PHOTO, "note": NOTE, "features": FEATURES})


def batch(rows: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        "photo": torch.randn(rows, *PHOTO.shape, generator=generator),
        "note": torch.randint(1, 50, (rows, 7), generator=generator),
        "features": torch.randn(rows, 3, generator=generator),
    }


@pytest.mark.parametrize(("task", "members"), [("regression", 1), ("binary", 4), ("multiclass", 4), ("multilabel", 4)])
def test_each_encoder_has_a_head_of_its_own_unless_numbers_are_learned(task: str, members: int) -> None:
    network = KINDS["fusion"].model_validate({}).for_task(Task(task)).sized(100, INPUTS).build(INPUTS, 2, None).eval()
    assert getattr(network, "members", 1) == members
    assert network(batch(5)).shape == (5 * members, 2)


def test_the_spec_may_say_which_heads_there_are() -> None:
    for task, own in ((Task.REGRESSION, True), (Task.MULTICLASS, False)):
        kind = KINDS["fusion"].model_validate({"own_heads": own}).for_task(task).sized(100, INPUTS)
        assert isinstance(kind.build(INPUTS, 2, None), EachHeaded) == own


def test_a_single_input_has_one_head() -> None:
    inputs = InputShapes({"photo": PHOTO})
    kind = KINDS["fusion"].model_validate({}).for_task(Task.MULTICLASS).sized(100, inputs)
    assert kind.build(inputs, 2, None)(batch(4)["photo"]).shape == (4, 2)


def test_a_head_of_an_encoder_sees_its_own_input_only() -> None:
    network = KINDS["fusion"].model_validate({"own_heads": True}).sized(100, INPUTS).build(INPUTS, 2, None).eval()
    rows = batch(6)
    changed = rows | {"note": rows["note"].flip(1) % 49 + 1}
    before, after = (network(each).unflatten(0, (4, 6)) for each in (rows, changed))
    same = [torch.equal(one, other) for one, other in zip(before, after, strict=True)]
    assert same == [False, True, False, True]  # all inputs, the photo, the note, the columns
