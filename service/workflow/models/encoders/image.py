"""Encoders of images: a small ResNet (He, Zhang, Ren, Sun: "Deep residual learning for image recognition", CVPR 2016, arXiv
1512.03385, with the stem and the three stages of its section 4.2), and how a tensor is one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from service.workflow.models.encoders.encoder import Encoder
from service.workflow.models.input_shapes import InputTensor, Shape

Pooling = Literal["avg", "max"]
COLORS = (1, 3)  # lengths of a last axis that are channels


@dataclass(frozen=True)
class ImageLayout:
    """How a tensor of one row is an image: `shape` is (channels, rows, columns); `added` says that it has no axis of channels,
    `last` that it is the last one."""

    shape: Shape
    added: bool = False
    last: bool = False

    @property
    def side(self) -> int:
        """The length of the shorter side, in pixels."""
        return min(self.shape[1:])

    def channels_first(self, x: Tensor) -> Tensor:
        """From [n, *tensor] to [n, channels, rows, columns]."""
        if self.added:
            return x.unsqueeze(1)
        return x.permute(0, 3, 1, 2) if self.last else x


def image_layout(of: InputTensor) -> ImageLayout | None:
    """How an input is an image: an image is [C, H, W]; a tensor [H, W], [C, H, W], or [H, W, C] if its last axis has 1 or 3
    entries and its first has not. None if it is none."""
    return None if of.ids is not None else layout_of(of.shape, tensor=not of.channels_first)


def layout_of(shape: Shape, tensor: bool) -> ImageLayout | None:
    """The same for a shape; `tensor` says that its last axis may be the channels."""
    if len(shape) == 2:
        return ImageLayout((1, *shape), added=True)
    if len(shape) != 3:
        return None
    if tensor and shape[2] in COLORS and shape[0] not in COLORS:
        return ImageLayout((shape[2], *shape[:2]), last=True)
    return ImageLayout(shape)


class ConvNet(Encoder):
    """From images to the mean (or largest) values of the last stage's channels, [n, channels[-1]].

    A stem (3 × 3, which halves each side `halvings` times), then for each entry of `channels` a stage of `blocks` blocks; each
    stage but the first halves the sides.
    """

    def __init__(
        self,
        layout: ImageLayout,
        channels: Sequence[int],
        blocks: int,
        residual: bool = True,
        pooling: Pooling = "avg",
        halvings: int = 0,
    ) -> None:
        super().__init__()
        self.layout = layout
        self.width = channels[-1]
        self.largest = pooling == "max"
        stem = [*_convolution(layout.shape[0], channels[0], 2 if halvings else 1), nn.ReLU()]
        self.stem = nn.Sequential(*stem, *[nn.MaxPool2d(3, 2, 1) for _ in range(halvings - 1)])
        self.stages = nn.Sequential()
        before = channels[0]
        for stage, width in enumerate(channels):
            strides = [2 if stage and not block else 1 for block in range(blocks)]
            widths = [before, *[width] * blocks]
            made = [Block(widths[i], width, stride, residual) for i, stride in enumerate(strides)]
            self.stages.append(nn.Sequential(*made))
            before = width

    def forward(self, x: Tensor) -> Tensor:
        """From [n, *tensor] to [n, width]."""
        # Convolutions on a CPU are a fifth faster with the channels last in memory.
        x = self.layout.channels_first(x).contiguous(memory_format=torch.channels_last)
        x = self.stages(self.stem(x))
        return x.amax(dim=(2, 3)) if self.largest else x.mean(dim=(2, 3))


class Block(nn.Module):
    """Two 3 × 3 convolutions, each with BatchNorm; a residual one adds its input (through a 1 × 1 convolution where the shapes
    differ) before the last ReLU."""

    def __init__(self, channels: int, width: int, stride: int, residual: bool) -> None:
        super().__init__()
        self.inner = nn.Sequential(*_convolution(channels, width, stride), nn.ReLU(), *_convolution(width, width, 1))
        self.shortcut: nn.Module | None = None
        if residual:
            same = stride == 1 and channels == width
            self.shortcut = nn.Identity() if same else nn.Sequential(*_convolution(channels, width, stride, size=1))

    def forward(self, x: Tensor) -> Tensor:
        """From [n, channels, h, w] to [n, width, ⌈h / stride⌉, ⌈w / stride⌉]."""
        inner = self.inner(x)
        return torch.relu(inner if self.shortcut is None else inner + self.shortcut(x))


def _convolution(channels: int, width: int, stride: int, size: int = 3) -> list[nn.Module]:
    """A convolution without bias, which BatchNorm has, and BatchNorm."""
    return [nn.Conv2d(channels, width, size, stride, size // 2, bias=False), nn.BatchNorm2d(width)]
