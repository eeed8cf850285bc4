"""Stacks of torch's layers for images, texts and sequences: sizes follow from the shapes, and what does not fit is named."""

from typing import Any

import pytest
import torch
from torch import nn

from service.workflow.errors import InvalidSpec
from service.workflow.models.input_shapes import InputShapes, InputTensor
from service.workflow.models.layers import LayersSpec

IMAGE = InputTensor((3, 8, 8), "image")
TEXT = InputTensor((6,), "text", ids=20)
SIGNAL = InputTensor((6, 4), "tensor")
CLIP = InputTensor((4, 3, 8, 8), "video")
LAST: list[dict[str, Any]] = [{"name": "Flatten"}, {"name": "Linear"}]


def stack(of: InputTensor, *layers: dict[str, Any]) -> nn.Sequential:
    network = LayersSpec.model_validate({"layers": [*layers, *LAST]}).build(InputShapes({"x": of}), 2, None)
    assert isinstance(network, nn.Sequential)
    return network


def layer(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, **arguments}


def random(of: InputTensor, rows: int) -> torch.Tensor:
    return torch.randn(rows, *of.shape) if of.ids is None else torch.randint(0, of.ids, (rows, *of.shape))


STACKS: list[tuple[InputTensor, list[dict[str, Any]]]] = [
    (IMAGE, [layer("LazyConv2d", out_channels=5, kernel_size=3), layer("LazyBatchNorm2d")]),
    (IMAGE, [layer("ConvTranspose2d", out_channels=5, kernel_size=2, stride=2), layer("MaxPool2d", kernel_size=2)]),
    (
        IMAGE,
        [
            layer("Upsample", scale_factor=2.0),
            layer("Conv2d", out_channels=4, kernel_size=1),
            layer("PixelShuffle", upscale_factor=2),
        ],
    ),
    (IMAGE, [layer("LazyConvTranspose2d", out_channels=2, kernel_size=2), layer("LazyInstanceNorm2d", affine=True)]),
    (
        CLIP,
        [
            layer("Conv3d", out_channels=4, kernel_size=2),
            layer("LazyBatchNorm3d"),
            layer("AdaptiveAvgPool3d", output_size=1),
        ],
    ),
    (SIGNAL, [layer("LazyConv1d", out_channels=3, kernel_size=2), layer("LazyBatchNorm1d"), layer("ReLU")]),
    (SIGNAL, [layer("LSTM", hidden_size=5, num_layers=2, bidirectional=True), layer("GRU", hidden_size=3)]),
    (SIGNAL, [layer("RNN", hidden_size=5, nonlinearity="relu"), layer("LazyLinear", out_features=3)]),
    (SIGNAL, [layer("MultiheadAttention", num_heads=2), layer("TransformerEncoderLayer", nhead=4)]),
    (
        TEXT,
        [layer("Embedding", embedding_dim=8), layer("MultiheadAttention", num_heads=8), layer("LSTM", hidden_size=4)],
    ),
    (TEXT, [layer("EmbeddingBag", embedding_dim=8), layer("BatchNorm1d")]),
]


@pytest.mark.parametrize(("of", "layers"), STACKS)
def test_a_stack_learns_and_answers_row_by_row(of: InputTensor, layers: list[dict[str, Any]]) -> None:
    network = stack(of, *layers)
    network(random(of, 4)).sum().backward()
    assert all(each.grad is not None for each in network.parameters())
    network.eval()
    x = random(of, 5)
    assert network(x).shape == (5, 2)
    torch.testing.assert_close(network(x)[3:4], network(x[3:4]), atol=1e-5, rtol=1e-4)
    with torch.device("meta"):
        empty = stack(of, *layers)
    assert {name: each.shape for name, each in empty.state_dict().items()} == {
        name: each.shape for name, each in network.state_dict().items()
    }


def test_a_lazy_layer_has_the_tensors_of_the_ordinary_one() -> None:
    for lazy, ordinary in (("LazyConv2d", "Conv2d"), ("LazyConvTranspose2d", "ConvTranspose2d")):
        made = []
        for name in (lazy, ordinary):
            torch.manual_seed(1)
            made.append(stack(IMAGE, layer(name, out_channels=4, kernel_size=3)).state_dict())
        assert made[0].keys() == made[1].keys()
        assert all(torch.equal(made[0][name], made[1][name]) for name in made[0])


def test_embeddings_know_the_ids_and_leave_padding_out() -> None:
    bag = stack(TEXT, layer("EmbeddingBag", embedding_dim=3)).eval()[0]
    assert isinstance(bag, nn.EmbeddingBag) and bag.num_embeddings == 20
    text = torch.tensor([[4, 7, 0, 0, 0, 0]])
    torch.testing.assert_close(bag(text)[0], bag.weight[[4, 7]].mean(dim=0))
    assert not bag(torch.zeros_like(text)).any()


@pytest.mark.parametrize(
    ("of", "layers", "says"),
    [
        (
            TEXT,
            [layer("Linear", out_features=3)],
            r"0: layer 1, Linear, cannot take \[n, 6\]: .*ids of a text, which Embedding",
        ),
        (
            TEXT,
            [layer("EmbeddingBag", embedding_dim=3, num_embeddings=7)],
            "0: .*20 different ids, and num_embeddings is 7",
        ),
        (
            SIGNAL,
            [layer("Embedding", embedding_dim=3)],
            r"0: layer 1, Embedding, cannot take \[n, 6, 4\]: it takes the ids",
        ),
        (
            IMAGE,
            [layer("LSTM", hidden_size=3)],
            r"0: layer 1, LSTM, cannot take \[n, 3, 8, 8\]: it takes \[n, steps, width\]",
        ),
        (SIGNAL, [layer("Flatten"), layer("GRU", hidden_size=3)], r"1: layer 2, GRU, cannot take \[n, 24\]"),
        (
            SIGNAL,
            [layer("Conv2d", out_channels=3, kernel_size=3)],
            r"0: .*\[n, 6, 4\]: it takes \[n, channels, rows, columns\]",
        ),
        (SIGNAL, [layer("TransformerEncoderLayer", nhead=3)], r"0: .*TransformerEncoderLayer, cannot take \[n, 6, 4\]"),
        (
            IMAGE,
            [layer("PixelShuffle", upscale_factor=2)],
            r"0: .*Shuffle, cannot take \[n, 3, 8, 8\]: it takes \[n, channels · ",
        ),
        (IMAGE, [layer("Conv2d", out_channels=3, kernel_size=9)], r"0: .*Conv2d, cannot take \[n, 3, 8, 8\]"),
    ],
)
def test_a_layer_that_does_not_fit_is_named_with_the_shapes(
    of: InputTensor, layers: list[dict[str, Any]], says: str
) -> None:
    with torch.device("meta"), pytest.raises(InvalidSpec, match=f"/model/layers/{says}"):
        stack(of, *layers)


def test_a_stack_takes_one_input() -> None:
    with pytest.raises(InvalidSpec, match=r"/model/kind: .*one tensor, and the inputs are 2"):
        LayersSpec.model_validate({"layers": LAST}).build(InputShapes({"a": IMAGE, "b": TEXT}), 1, None)
