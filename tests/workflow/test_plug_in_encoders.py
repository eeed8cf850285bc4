"""The example of a plug-in whose encoder has weights of its own, alone and in a fusion."""

import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from service.workflow.models import KINDS, ModelKind, install
from service.workflow.models.input_shapes import InputShapes, InputTensor

EXAMPLE = Path(__file__).parents[2] / "examples" / "encoder_plugin"
IMAGE = InputTensor((3, 8, 9), "image")


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelKind]:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    install(["frozen_filters:FrozenFiltersSpec"])
    yield KINDS["frozen_filters"].model_validate({})
    KINDS.pop("frozen_filters")
    sys.modules.pop("frozen_filters")


def test_its_weights_are_those_of_the_script_and_are_not_trained(kind: ModelKind) -> None:
    network = kind.build(InputShapes({"photo": IMAGE}), 2, None)
    made = runpy.run_path(str(EXAMPLE / "make_weights.py"))["filters"]()
    assert torch.equal(network.state_dict()["encoder.weight"], made)
    flat = made.flatten(1)
    torch.testing.assert_close(flat @ flat.T, torch.eye(24))
    trained = [name for name, each in network.named_parameters() if each.requires_grad]
    assert trained == ["output.0.weight", "output.0.bias"]
    assert network(torch.randn(4, 3, 8, 9)).shape == (4, 2) and network(torch.zeros(0, 3, 8, 9)).shape == (0, 2)
    with torch.device("meta"):
        empty = kind.build(InputShapes({"photo": IMAGE}), 2, None)
    assert all(each.is_meta for each in empty.parameters())


def test_it_is_an_encoder_of_a_fusion(kind: ModelKind) -> None:
    inputs = InputShapes({"photo": IMAGE, "features": InputTensor((2,))})
    fusion = KINDS["fusion"].model_validate({"encoders": {"photo": {"kind": "frozen_filters"}}}).sized(10, inputs)
    network = fusion.build(inputs, 3, None)
    assert network(inputs.zeros(5)).shape == (5, 3)
    assert not dict(network.named_parameters())["encoder.encoders.0.weight"].requires_grad
