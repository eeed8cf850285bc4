"""Makes small pictures of tensors."""

import base64

import torch
from torch import Tensor, nn

from service.workflow.look.examples import MOST_FILTERS, MOST_SIDE, Picture

CHANNELS = (1, 3)


def picture_shape(shape: list[int] | None) -> bool:
    """Whether a value of this shape can be shown as a picture: an image, a clip, or a table of numbers."""
    return shape is not None and _plane(shape) is not None


def picture(value: Tensor) -> Picture:
    """A picture of one value, of a shape that `picture_shape` accepts: of a clip its first frame. Numbers that are no uint8 are
    drawn from black, the smallest, to white."""
    plane = _plane(list(value.shape))
    assert plane is not None  # noqa: S101 - as the caller has asked
    return _small(_to_bytes(_planar(value, plane)))


def filters(network: nn.Module) -> list[Picture]:
    """The filters of the first two-dimensional convolution, or of a three-dimensional one their middle; an empty list if there is
    none. Zero is mid-grey, and the largest weight of all filters, in absolute value, is black or white. Filters of three channels
    are in colour, others show the mean over their channels."""
    found = next((each for each in network.modules() if isinstance(each, nn.Conv2d | nn.Conv3d)), None)
    if found is None:
        return []
    weight = found.weight.detach()[:MOST_FILTERS].to("cpu", torch.float32)
    if weight.dim() == 5:
        weight = weight[:, :, weight.shape[2] // 2]
    if weight.shape[1] not in CHANNELS:
        weight = weight.mean(dim=1, keepdim=True)
    largest = weight.abs().max().clamp_min(1e-12)
    return [_small(each) for each in ((weight / largest + 1) * 127.5).round().to(torch.uint8)]


def _plane(shape: list[int]) -> str | None:
    """How the axes of a value of this shape are read: h is the height, w the width, c the channels, t the time."""
    if 0 in shape:
        return None
    match shape:
        case [_, _]:
            return "hw"
        case [channels, _, _] if channels in CHANNELS:
            return "chw"
        case [_, _, channels] if channels in CHANNELS:
            return "hwc"
        case [_, channels, _, _] if channels in CHANNELS:
            return "tchw"
        case [channels, _, _, _] if channels in CHANNELS:
            return "cthw"
    return None


def _planar(value: Tensor, plane: str) -> Tensor:
    """[channels, height, width]."""
    match plane:
        case "hw":
            return value[None]
        case "hwc":
            return value.permute(2, 0, 1)
        case "tchw":
            return value[0]
        case "cthw":
            return value[:, 0]
    return value


def _to_bytes(value: Tensor) -> Tensor:
    if value.dtype is torch.uint8:
        return value
    number = value.to(torch.float64)
    finite = number[number.isfinite()]
    if not len(finite):
        return torch.zeros(number.shape, dtype=torch.uint8)
    low, high = finite.min(), finite.max()
    shade = (number.nan_to_num(low.item(), high.item(), low.item()) - low) / (high - low).clamp_min(1e-300) * 255
    return shade.round().to(torch.uint8)


def _small(value: Tensor) -> Picture:
    """The picture of uint8 [channels, height, width], at most `MOST_SIDE` wide and high."""
    channels, height, width = value.shape
    if max(height, width) > MOST_SIDE:
        share = MOST_SIDE / max(height, width)
        height, width = max(round(height * share), 1), max(round(width * share), 1)
        resized = nn.functional.interpolate(value[None].to(torch.float32), (height, width), mode="area")
        value = resized[0].round().to(torch.uint8)
    pixels = value.permute(1, 2, 0).contiguous().numpy().tobytes()
    return Picture(
        width=width, height=height, channels=3 if channels == 3 else 1, pixels=base64.b64encode(pixels).decode()
    )
