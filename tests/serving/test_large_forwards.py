"""Many rows for a wide model are computed in parts, with the same numbers, in little memory, and abandoned without a client."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import orjson
import psutil
import pytest
import torch
from torch import nn

from service.serving.codecs import json_lines
from service.serving.codecs.json import json_bodies
from service.serving.errors import DeadlineExceeded
from service.serving.forward import forward
from service.serving.served_version import ServedVersion
from service.serving.warm_models import FORWARD_BYTES, Warm
from service.workflow.data.types.names import Scalar
from service.workflow.losses import OutputKind
from service.workflow.model import Model
from service.workflow.signature import Input, Output, Signature
from service.workflow.tasks import Task
from tests.memory import growth_of


def warm(network: nn.Module, task: str = "regression", classes: list[Scalar] | None = None) -> Warm:
    torch.manual_seed(0)
    kind: Literal["number", "class"] = "number" if classes is None else "class"
    signature = Signature(
        task=Task(task),
        inputs=[Input(name="x", type="number")],
        outputs=[Output(name="y", type=kind, classes=classes)],
    )
    model = Model(network, None, None, OutputKind.VALUE, Task(task)).eval().requires_grad_(False)
    return Warm(model, signature)


def growth(work: Callable[[], object]) -> int:
    """The peak growth of the process in bytes."""
    with growth_of(psutil.Process()) as growth:
        work()
    return growth.bytes


def test_a_large_forward_takes_little_memory_and_keeps_the_values() -> None:
    wide = warm(nn.Sequential(nn.Linear(1, 4096), nn.ReLU(), nn.Linear(4096, 1)))
    raw = torch.linspace(-1, 1, 20_000)[:, None]
    assert wide.rows_at_once < 2000
    made: list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = []
    # All rows at once would take 20 times as much; the allocator keeps some of the freed memory.
    assert growth(lambda: made.append(forward(wide, raw))) < 4 * FORWARD_BYTES
    with torch.inference_mode():
        alone = np.concatenate([wide.model(part).numpy() for part in raw.split(1000)])
    assert made[0].shape == (20_000, 1) and np.allclose(made[0], alone, rtol=0, atol=1e-5)
    assert (forward(wide, raw) == made[0]).all()  # the same request has the same answer, bit for bit


def test_a_forward_without_a_waiting_client_is_abandoned() -> None:
    wide = warm(nn.Sequential(nn.Linear(1, 4096), nn.ReLU(), nn.Linear(4096, 1)))
    calls: list[None] = []

    def wanted() -> bool:
        calls.append(None)
        return len(calls) < 3

    with pytest.raises(DeadlineExceeded):
        forward(wide, torch.zeros(100_000, 1), wanted=wanted)
    assert len(calls) == 3


def test_many_answers_are_written_in_parts_that_form_one_document() -> None:
    names: list[Scalar] = [f"class {i:03d}" for i in range(300)]
    many = warm(nn.Linear(1, 300), "multiclass", names)
    answers = forward(many, torch.linspace(0, 1, 1000)[:, None])
    assert many.rows_per_chunk < 200
    (body,) = json_bodies(ServedVersion("digest", "m", 1), many, answers, [1000])
    found = orjson.loads(body)["predictions"]
    assert [each["label"] for each in found] == [names[at] for at in answers.argmax(axis=1)]
    assert [orjson.loads(line) for line in json_lines.write(many, answers).splitlines()] == found
    assert abs(len(body) / 1000 / many.answer_bytes - 1) < 0.5
