"""Networks are built for input shapes of any rank: images as well as columns of a table."""

import pytest
import torch

from service.workflow.errors import InvalidSpec
from service.workflow.forward_cost import measure
from service.workflow.models import KINDS, ModelKind
from service.workflow.models.input_shapes import InputShapes, InputTensor
from service.workflow.models.layers import LayersSpec

PHOTO = InputShapes({"photo": InputTensor((3, 8, 8))})
CONVOLUTIONS = LayersSpec.model_validate(
    {
        "layers": [
            {"name": "Conv2d", "out_channels": 4, "kernel_size": 3},
            {"name": "BatchNorm2d"},
            {"name": "ReLU"},
            {"name": "AdaptiveAvgPool2d", "output_size": 1},
            {"name": "Flatten"},
            {"name": "Linear"},
        ]
    }
)


def test_input_sizes_of_layers_are_inferred_from_an_image() -> None:
    network = CONVOLUTIONS.build(PHOTO, 2, None)
    assert network[0].in_channels == 3 and network[1].num_features == 4  # type: ignore[index]
    assert network(torch.randn(5, 3, 8, 8)).shape == (5, 2)
    cost = measure(network.eval(), PHOTO)
    assert cost.work >= 3 * 9 * 4 * 6 * 6  # the products of the convolution


def test_a_layer_that_does_not_fit_is_refused_with_its_input_shape() -> None:
    with pytest.raises(InvalidSpec, match=r"/model/layers/0: layer 1, Conv2d, cannot take \[n, 5\]"):
        CONVOLUTIONS.build(InputShapes.of_columns(5), 2, None)


@pytest.mark.parametrize("kind", [KINDS[name] for name in ("linear_regression", "logistic_regression", "mlp", "tabm")])
def test_a_kind_for_tables_refuses_other_shapes(kind: type[ModelKind]) -> None:
    with pytest.raises(InvalidSpec, match=r"/model/kind: .*takes rows of numbers, not photo \[n, 3, 8, 8\]"):
        kind.model_validate({}).build(PHOTO, 1, None)
    with pytest.raises(
        InvalidSpec, match=r"takes one tensor, and the inputs are 2: photo \[n, 3, 8, 8\], features \[n, 4\]"
    ):
        kind.model_validate({}).build(InputShapes({**PHOTO.by_name, "features": InputTensor((4,))}), 1, None)


def test_sizes_count_all_tensors() -> None:
    assert InputShapes({**PHOTO.by_name, "features": InputTensor((4,))}).size == 3 * 8 * 8 + 4
    assert InputShapes.of_columns(7).features == InputShapes.of_columns(7).size == 7
