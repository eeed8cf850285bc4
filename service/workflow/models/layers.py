"""Any stack of torch's own layers."""

from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, Field
from torch import nn

from service.workflow.errors import invalid
from service.workflow.models.input_shapes import InputShapes
from service.workflow.models.kind import ModelKind
from service.workflow.torch_errors import torch_message
from service.workflow.torch_registry import TorchRegistry, arguments_of, name_of

# fmt: off
NAMES = [
    "Identity", "Linear", "Flatten", "Unflatten", "CELU", "ELU", "GELU", "GLU", "Hardshrink", "Hardsigmoid",
    "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid", "LogSoftmax", "Mish", "PReLU", "ReLU", "ReLU6", "RReLU",
    "SELU", "SiLU", "Sigmoid", "Softmax", "Softmax2d", "Softmin", "Softplus", "Softshrink", "Softsign", "Tanh",
    "Tanhshrink", "Threshold", "AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d",
    "FeatureAlphaDropout", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "GroupNorm", "InstanceNorm1d",
    "InstanceNorm2d", "InstanceNorm3d", "LayerNorm", "LocalResponseNorm", "RMSNorm", "Conv1d", "Conv2d", "Conv3d",
    "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "AdaptiveAvgPool1d", "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d", "AvgPool1d", "AvgPool2d",
    "AvgPool3d", "LPPool1d", "LPPool2d", "LPPool3d", "MaxPool1d", "MaxPool2d", "MaxPool3d", "CircularPad1d",
    "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d", "ReflectionPad1d",
    "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d", "ReplicationPad3d", "ZeroPad1d",
    "ZeroPad2d", "ZeroPad3d", "ChannelShuffle", "Fold", "PixelShuffle", "PixelUnshuffle", "Unfold", "Upsample",
    "TransformerEncoderLayer",
]
# fmt: on

_TUPLE = "it answers with more than one tensor"
_IDS = "it takes whole numbers, and what enters a layer here are float32 features"
_MORE = "it takes more than one tensor"
REFUSED = {
    **dict.fromkeys(("GRU", "LSTM", "RNN"), _TUPLE),
    **dict.fromkeys(("Embedding", "EmbeddingBag"), _IDS),
    **dict.fromkeys(("Bilinear", "CosineSimilarity", "MultiheadAttention", "PairwiseDistance", "Transformer"), _MORE),
    **dict.fromkeys(("GRUCell", "LSTMCell", "RNNCell", "TransformerDecoderLayer", "MaxUnpool1d", "MaxUnpool2d"), _MORE),
    **dict.fromkeys(
        ("Sequential", "ModuleList", "ModuleDict"), "it only holds other layers; write them one after another"
    ),
}

# Arguments that follow from the shape [n, …] of a layer's input, with the position in the shape.
FROM_SHAPE = {
    "in_features": -1,
    "num_features": 1,
    "in_channels": 1,
    "num_channels": 1,
    "normalized_shape": -1,
    "d_model": -1,
}
FILLED_IN = (int | None, Field(default=None, ge=1, description="taken from its input when absent"))
TRIED_WITH = {"out_features": 1, **dict.fromkeys(FROM_SHAPE, 4)}


def _trial(cls: type, arguments: dict[str, Any]) -> object:
    with torch.device("meta"):
        return cls(**{name: TRIED_WITH.get(name) if value is None else value for name, value in arguments.items()})


REGISTRY = TorchRegistry(
    "layer",
    {name: getattr(nn, name) for name in NAMES},
    refused=REFUSED,
    trial=_trial,
    types={
        **dict.fromkeys(FROM_SHAPE, FILLED_IN),
        "out_features": (int | None, Field(default=None, ge=1, description="the last Linear may leave it out")),
        "approximate": Literal["none", "tanh"],
        "activation": (Literal["relu", "gelu"], Field(default="relu")),
        "unflattened_size": list[int],
        "padding_mode": Literal["zeros", "reflect", "replicate", "circular"],
    },
    left_out={"args", "kwargs", "inplace", "return_indices", "min_value", "max_value", "batch_first"},
)

Layer = Annotated[Any, REGISTRY]


ROWS_TRIED = 13  # unlikely as a number of channels: layers for images take three dimensions for one image


class LayersSpec(ModelKind):
    """A stack of layers. The size of a layer's input is taken from the layer before."""

    kind: Literal["layers"] = "layers"
    layers: list[Layer] = Field(min_length=1, max_length=500)

    def build(self, inputs: InputShapes, outputs: int, head: nn.Module | None) -> nn.Module:
        """The stack, followed by the head unless the stack already ends in it.

        Raises:
            InvalidSpec: a layer does not take the output of the one before; the layer and the shapes are named.
        """
        made = [module for _, _, module in self._stack(inputs, outputs)]
        if head is not None and not isinstance(made[-1], type(head)):
            made.append(head)
        return nn.Sequential(*made)

    def resolved(self, inputs: InputShapes, outputs: int) -> list[tuple[str, dict[str, Any]]]:
        """The name of each layer's class and all arguments of its constructor, also those that follow from shapes."""
        with torch.device("meta"):
            return [(name, arguments) for name, arguments, _ in self._stack(inputs, outputs)]

    def _stack(self, inputs: InputShapes, outputs: int) -> list[tuple[str, dict[str, Any], nn.Module]]:
        last = max((i for i, layer in enumerate(self.layers) if name_of(layer) == "Linear"), default=None)
        x, made = torch.zeros(ROWS_TRIED, *inputs.shape), list[tuple[str, dict[str, Any], nn.Module]]()
        for position, layer in enumerate(self.layers):
            arguments = self._arguments(layer, position, x, outputs if position == last else None)
            try:
                module: nn.Module = REGISTRY.classes[name_of(layer)](**arguments).eval()
                with torch.no_grad():
                    after: torch.Tensor = module(x)
            except Exception as error:  # torch raises errors of any type
                message = f"layer {position + 1}, {name_of(layer)}, cannot take {_shape(x)}: {torch_message(error)}"
                raise invalid(f"/model/layers/{position}", message) from None
            made.append((name_of(layer), arguments, module.train()))
            x = after
        if x.shape != (ROWS_TRIED, outputs):
            message = f"the stack ends in {_shape(x)}, and the targets and the loss need [n, {outputs}]"
            raise invalid(f"/model/layers/{len(self.layers) - 1}", message)
        return made

    def _arguments(self, layer: BaseModel, position: int, x: torch.Tensor, outputs: int | None) -> dict[str, Any]:
        arguments = arguments_of(layer)
        for name, dimension in FROM_SHAPE.items():
            if name in arguments and arguments[name] is None and x.ndim > max(dimension, 0):
                arguments[name] = x.shape[dimension]
        if "out_features" in arguments and arguments["out_features"] is None:
            if outputs is None:
                message = "is missing; only the last Linear of a stack takes it from the targets"
                raise invalid(f"/model/layers/{position}/out_features", message)
            arguments["out_features"] = outputs
        return arguments


def _shape(x: torch.Tensor) -> str:
    return f"[{', '.join(['n', *map(str, x.shape[1:])])}]"
