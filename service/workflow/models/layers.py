"""Any stack of torch's own layers."""

from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, Field
from torch import nn

from service.workflow.data.texts.encoding import EncodingName
from service.workflow.errors import invalid
from service.workflow.models.input_shapes import InputShapes
from service.workflow.models.kind import ModelKind
from service.workflow.models.sequence_layers import SEQUENCE_LAYERS
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
    "TransformerEncoderLayer", "Embedding", "EmbeddingBag", "LSTM", "GRU", "RNN", "MultiheadAttention",
    "LazyLinear", "LazyConv1d", "LazyConv2d", "LazyConv3d", "LazyConvTranspose1d", "LazyConvTranspose2d",
    "LazyConvTranspose3d", "LazyBatchNorm1d", "LazyBatchNorm2d", "LazyBatchNorm3d", "LazyInstanceNorm1d",
    "LazyInstanceNorm2d", "LazyInstanceNorm3d",
]
# fmt: on

_MORE = "it takes more than one tensor"
REFUSED = {
    **dict.fromkeys(("Bilinear", "CosineSimilarity", "PairwiseDistance", "Transformer"), _MORE),
    **dict.fromkeys(("GRUCell", "LSTMCell", "RNNCell", "TransformerDecoderLayer", "MaxUnpool1d", "MaxUnpool2d"), _MORE),
    **dict.fromkeys(
        ("Sequential", "ModuleList", "ModuleDict"), "it only holds other layers; write them one after another"
    ),
}

EMBEDDINGS = ("Embedding", "EmbeddingBag")  # take ids
# What layers take, where torch's message does not say it.
TAKEN = {
    **dict.fromkeys(SEQUENCE_LAYERS, "[n, steps, width]"),
    **{f"{of}1d": "[n, channels, length]" for of in ("Conv", "ConvTranspose")},
    **{f"{of}2d": "[n, channels, rows, columns]" for of in ("Conv", "ConvTranspose")},
    **{f"{of}3d": "[n, channels, depth, rows, columns]" for of in ("Conv", "ConvTranspose")},
    "PixelShuffle": "[n, channels · upscale_factor², rows, columns]",
    "Upsample": "[n, channels, length], [n, channels, rows, columns] or [n, channels, depth, rows, columns]",
}

# Arguments that follow from the shape [n, …] of a layer's input, with the position in the shape.
FROM_SHAPE = {
    "in_features": -1,
    "num_features": 1,
    "in_channels": 1,
    "num_channels": 1,
    "normalized_shape": -1,
    "d_model": -1,
    "embed_dim": -1,
    "input_size": -1,
}
FILLED_IN = (int | None, Field(default=None, ge=1, description="taken from its input when absent"))


def _class(name: str) -> type[nn.Module]:
    """The class of a layer. A lazy one is the ordinary one, whose sizes are taken from its input here anyway, so that the names
    of its tensors are the ordinary ones too."""
    cls: type[nn.Module] = SEQUENCE_LAYERS[name] if name in SEQUENCE_LAYERS else getattr(nn, name.removeprefix("Lazy"))
    return cls


PARTS = ("nhead", "num_heads", "num_groups", "groups")  # arguments that must divide a size
MOST_TRIED = 4096


def _trial(cls: type, arguments: dict[str, Any]) -> object:
    parts = [arguments[name] for name in PARTS if isinstance(arguments.get(name), int)]
    size = 4 * next((each for each in parts if 1 <= each <= MOST_TRIED), 1)
    tried_with = {"out_features": 1, "num_embeddings": 4, **dict.fromkeys(FROM_SHAPE, size)}
    with torch.device("meta"):
        return cls(**{name: tried_with.get(name) if value is None else value for name, value in arguments.items()})


REGISTRY = TorchRegistry(
    "layer",
    {name: _class(name) for name in NAMES},
    refused=REFUSED,
    trial=_trial,
    types={
        **dict.fromkeys(FROM_SHAPE, FILLED_IN),
        "out_features": (int | None, Field(default=None, ge=1, description="the last Linear may leave it out")),
        "num_embeddings": (int | None, Field(default=None, ge=1, description="taken from its input when absent")),
        "padding_idx": (int | None, Field(default=0, description="the id that fills up what is shorter")),
        "nonlinearity": Literal["tanh", "relu"],
        "approximate": Literal["none", "tanh"],
        "activation": (Literal["relu", "gelu"], Field(default="relu")),
        "unflattened_size": list[int],
        "padding_mode": Literal["zeros", "reflect", "replicate", "circular"],
    },
    left_out={"args", "kwargs", "inplace", "return_indices", "min_value", "max_value", "batch_first"}
    | {"sparse", "max_norm", "include_last_offset", "_weight", "_freeze"},
)

Layer = Annotated[Any, REGISTRY]


ROWS_TRIED = 13  # unlikely as a number of channels: layers for images take three dimensions for one image


class LayersSpec(ModelKind):
    """A stack of layers. The size of a layer's input is taken from the layer before."""

    kind: Literal["layers"] = "layers"
    layers: list[Layer] = Field(min_length=1, max_length=500)

    def text_encoding(self, name: str) -> EncodingName:
        """Those in order, if each id has a vector of its own."""
        return "bpe" if name_of(self.layers[0]) == "Embedding" else "ngrams"

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
        names = [name_of(layer) for layer in self.layers]
        last = max((i for i, name in enumerate(names) if name in ("Linear", "LazyLinear")), default=None)
        x, made = inputs.only.zeros(ROWS_TRIED), list[tuple[str, dict[str, Any], nn.Module]]()
        for position, (name, layer) in enumerate(zip(names, self.layers, strict=True)):
            arguments = self._arguments(layer, position, x, inputs.only.ids, outputs if position == last else None)
            cls = REGISTRY.classes[name]
            if (reason := _misfit(name, arguments, x, inputs.only.ids)) is not None:
                message = f"layer {position + 1}, {name}, cannot take {_shape(x)}: {reason}"
                raise invalid(f"/model/layers/{position}", message)
            try:
                module: nn.Module = cls(**arguments).eval()
                with torch.no_grad():
                    after: torch.Tensor = module(x)
            except Exception as error:  # torch raises errors of any type
                takes = f"it takes {TAKEN[name]}: " if name in TAKEN else ""
                message = f"layer {position + 1}, {name}, cannot take {_shape(x)}: {takes}{torch_message(error)}"
                raise invalid(f"/model/layers/{position}", message) from None
            made.append((cls.__name__, arguments, module.train()))
            x = after
        if x.shape != (ROWS_TRIED, outputs):
            message = f"the stack ends in {_shape(x)}, and the targets and the loss need [n, {outputs}]"
            raise invalid(f"/model/layers/{len(self.layers) - 1}", message)
        return made

    def _arguments(
        self, layer: BaseModel, position: int, x: torch.Tensor, ids: int | None, outputs: int | None
    ) -> dict[str, Any]:
        arguments = arguments_of(layer)
        if name_of(layer) in SEQUENCE_LAYERS:
            arguments["batch_first"] = True
        if "num_embeddings" in arguments and arguments["num_embeddings"] is None:
            arguments["num_embeddings"] = ids or 1
        for name, dimension in FROM_SHAPE.items():
            if name in arguments and arguments[name] is None and x.ndim > max(dimension, 0):
                arguments[name] = x.shape[dimension]
        if "out_features" in arguments and arguments["out_features"] is None:
            if outputs is None:
                message = "is missing; only the last Linear of a stack takes it from the targets"
                raise invalid(f"/model/layers/{position}/out_features", message)
            arguments["out_features"] = outputs
        return arguments


def _misfit(name: str, arguments: dict[str, Any], x: torch.Tensor, ids: int | None) -> str | None:
    """Why a layer cannot take x where torch has no message that says it; or None."""
    is_ids = x.dtype is torch.int64
    if name in EMBEDDINGS:
        if not is_ids:
            return "it takes the ids of a text, and these are numbers"
        if arguments["num_embeddings"] < (ids or 0):
            return (
                f"the texts have {ids} different ids, and num_embeddings is {arguments['num_embeddings']}; leave it out"
            )
    elif is_ids:
        return f"these are the ids of a text, which {' and '.join(EMBEDDINGS)} take"
    if name in SEQUENCE_LAYERS and x.ndim != 3:
        return f"it takes {TAKEN[name]}"
    return None


def _shape(x: torch.Tensor) -> str:
    return f"[{', '.join(['n', *map(str, x.shape[1:])])}]"
