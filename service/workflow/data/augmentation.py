"""Random changes of images in training, for a whole batch at once, all numbers drawn from one generator."""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample

LUMA = (0.299, 0.587, 0.114)  # of red, green and blue in grey, ITU-R BT.601


@dataclass(frozen=True)
class Changes:
    """`flip`: mirrored left to right, half of the images. `crop`: moved by up to as many pixels up or down, and left or right.
    `rotate`: turned by up to as many degrees to either side. `color`: brightness, contrast and saturation multiplied by 1 ± up to
    as much."""

    flip: bool
    crop: int
    rotate: float
    color: float


def augment(changes: Changes, batch: Tensor, generator: Generator) -> Tensor:
    """A batch, uint8 [m, channels, h, w], changed, each image by other numbers. What moves into an image is its reflection."""
    if changes.flip or changes.crop:
        batch = _moved(batch, changes.flip, changes.crop, generator)
    if not (changes.rotate or changes.color):
        return batch
    values = batch.to(torch.float32)
    if changes.rotate:
        values = _rotated(values, changes.rotate, generator)
    if changes.color:
        values = _coloured(values, changes.color, generator)
    return values.round_().clamp_(0, 255).to(torch.uint8)


def _moved(batch: Tensor, flip: bool, most: int, generator: Generator) -> Tensor:
    """Mirrored and moved by whole pixels: each pixel is copied from another."""
    m, channels, height, width = batch.shape
    down, across = torch.randint(-most, most + 1, (2, m, 1), generator=generator)
    rows, columns = _reflected(down + torch.arange(height), height), _reflected(across + torch.arange(width), width)
    if flip:
        mirrored = torch.rand(m, 1, generator=generator) < 0.5
        columns = torch.where(mirrored, width - 1 - columns, columns)
    image, channel = torch.arange(m)[:, None, None, None], torch.arange(channels)[:, None, None]
    return batch[image, channel, rows[:, None, :, None], columns[:, None, None, :]]


def _reflected(positions: Tensor, size: int) -> Tensor:
    """Positions of pixels, of which those outside of an image are reflected at the pixels at its edge."""
    return size - 1 - (size - 1 - positions.abs()).abs()


def _rotated(values: Tensor, degrees: float, generator: Generator) -> Tensor:
    """Turned about the centre, with bilinear interpolation."""
    m, _, height, width = values.shape
    angle = (2 * torch.rand(m, generator=generator) - 1) * math.radians(degrees)
    sine, cosine, none = angle.sin(), angle.cos(), torch.zeros(m)
    # Coordinates go from -1 to 1 along each side, however long it is.
    across = torch.stack([cosine, -sine * height / width, none], dim=1)
    down = torch.stack([sine * width / height, cosine, none], dim=1)
    grid = affine_grid(torch.stack([across, down], dim=1), list(values.shape), align_corners=False)
    return grid_sample(values, grid, padding_mode="reflection", align_corners=False)


def _coloured(values: Tensor, strength: float, generator: Generator) -> Tensor:
    """First brightness (times a factor), then contrast (from the mean grey), then saturation (from the grey of each pixel), as
    torchvision's ColorJitter defines them. All are linear, so that they are one sum."""
    drawn = 1 + strength * (2 * torch.rand(3, len(values), 1, 1, 1, generator=generator) - 1)
    brightness, contrast, saturation = drawn.unbind()
    luma = torch.tensor(LUMA).reshape(3, 1, 1)
    grey = values if values.shape[1] == 1 else (values * luma).sum(dim=1, keepdim=True)
    mean = grey.mean(dim=(1, 2, 3), keepdim=True) * brightness * (1 - contrast)
    factor = brightness * contrast
    if values.shape[1] > 1:
        mean = mean + grey * (factor * (1 - saturation))
        factor = factor * saturation
    return values * factor + mean
