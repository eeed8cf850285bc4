"""Images, each resized to a tensor uint8 [channels, height, width]."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from service.workflow.data.image_headers import IMAGE_TYPES, BadImage, read_header
from service.workflow.data.images import COPIES, decode_image
from service.workflow.data.pixel_arrays import as_images, channels_first
from service.workflow.data.schema import Column
from service.workflow.data.table import Files, Numbers, Values
from service.workflow.data.tensor_cache import TensorCache
from service.workflow.data.types.feature import Feature
from service.workflow.data.types.shaped_type import ShapedType
from service.workflow.data.types.tensor import TensorType
from service.workflow.errors import invalid
from service.workflow.spec_base import SpecBase

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from service.workflow.signature import Input

DEFAULT_SIDE = 64  # at most, of a size that is not given
MOST_SIDE = 1024


def _both_sides(value: Any) -> Any:
    return [value, value] if isinstance(value, int) else value


Side = Annotated[int, Field(ge=1, le=MOST_SIDE)]
Sides = Annotated[list[Side], Field(min_length=2, max_length=2)]
Size = Annotated[Sides, BeforeValidator(_both_sides, json_schema_input_type=Side | Sides)]
Channels = Literal[1, 3]
SIZE = "height and width to which they are resized; a number for both; by default the medians, each at most 64"
CHANNELS = "1 for grey, 3 for colours; by default 1 if all files are grey"


class Augmentation(SpecBase):
    """How images are changed at random in training. What is not given has a default."""

    flip: bool | None = Field(default=None, description="mirror half of them, left to right; false by default")
    crop: int | None = Field(
        default=None,
        ge=0,
        le=MOST_SIDE,
        description="move by up to as many pixels; by default a sixteenth of the shorter side, at least 1",
    )
    rotate: float | None = Field(
        default=None, ge=0, le=180, description="turn by up to as many degrees to either side; 0 by default"
    )
    color: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="change brightness, contrast and saturation by up to this part; 0 by default",
    )

    def resolved(self, size: Sequence[int]) -> "Augmentation":
        """With all options, for images of a height and width.

        Raises:
            InvalidSpec: they would be moved by more than their size.
        """
        shorter = min(size)
        crop = min(max(1, round(shorter / 16)), shorter - 1) if self.crop is None else self.crop
        if crop >= shorter:
            message = f"images of {size[0]} × {size[1]} pixels can be moved by at most {shorter - 1}"
            raise invalid("/augmentation/crop", message)
        return Augmentation(flip=self.flip or False, crop=crop, rotate=self.rotate or 0.0, color=self.color or 0.0)


class ImageFeature(Feature):
    """How images become tensors, and how they are augmented."""

    size: Size | None = Field(default=None, description=SIZE)
    channels: Channels | None = Field(default=None, description=CHANNELS)
    augmentation: Augmentation | None = None


class Image(ShapedType):
    """An image, kept as uint8 [channels, height, width] of the size that the feature says."""

    name: ClassVar[str] = "image"
    channels_first: ClassVar[bool] = True
    augments: ClassVar[bool] = True
    file_example: ClassVar[tuple[str, str] | None] = ("photo.jpg", "image/jpeg")
    no_target: ClassVar[str | None] = "holds images"
    files: ClassVar[bool] = True
    media_types: ClassVar[tuple[str, ...]] = tuple(IMAGE_TYPES)
    expects: ClassVar[str] = "an image"
    feature: ClassVar[type[Feature]] = ImageFeature

    def refusal(self, column: Column) -> str | None:
        """Any other column has no images, but one of tensors may have their pixels."""
        if column.type == self.name or pixel_shape(column) is not None:
            return None
        if column.type != TensorType.name:
            return f"is a {column.type} and holds no images"
        what = f"{column.statistics.get('dtype')} {column.statistics.get('shape')}"
        return f"holds tensors of {what}, and images are uint8 [h, w], [c, h, w] or [h, w, c] with 1 or 3 channels c"

    def resolved(self, feature: Feature, column: Column) -> Feature:
        """The size is by default that of the medians of heights and widths, each at most `DEFAULT_SIDE`; grey if all images
        are."""
        assert isinstance(feature, ImageFeature)  # noqa: S101 - it is of `self.feature`
        size = feature.size or default_size(column)
        augmentation = (feature.augmentation or Augmentation()).resolved(size)
        channels = feature.channels or default_channels(column)
        return ImageFeature(type=self.name, size=size, channels=channels, augmentation=augmentation)

    def shaped_fields(self, feature: Feature) -> dict[str, Any]:
        """uint8 [channels, height, width]."""
        assert isinstance(feature, ImageFeature)  # noqa: S101 - as above
        return {"shape": [feature.channels, *(feature.size or ())], "dtype": "uint8"}

    def in_words(self, shape: Sequence[int]) -> str:
        """Colours and size."""
        channels, height, width = shape
        return f"{'grey' if channels == 1 else 'colour'} images, resized to {height} × {width} pixels (height × width)"

    def to_tensor(self, of: "Input", column: Values, cache: TensorCache) -> "Tensor":
        """Decodes files in threads; arrays of pixels are stretched if they have another size."""
        from service.workflow.data.decode_files import decode_files

        if isinstance(column, Files):
            return decode_files(column, tuple(of.shape or ()), lambda data: _decoded(data, of), cache)
        assert isinstance(column, np.ndarray)  # noqa: S101 - it was read as images
        return as_images(column, of.shape or (), cache)

    def pixels(self, value: Any) -> int:
        """Those of the file, times its copies in memory; 0 if it cannot be read, which `from_request` says."""
        try:
            header = read_header(value)
        except BadImage:
            return 0
        return header.width * header.height * COPIES[header.format]

    def from_request(self, of: "Input", values: Sequence[Any]) -> Values:
        """Decodes the files of a request, one after another."""
        return decoded_rows(values, tuple(of.shape or ()), lambda data: _decoded(data, of), self.name)

    def channel_axis(self, shape: Sequence[int]) -> int | None:
        """The channels."""
        return 0

    def augment(self, feature: Feature, batch: "Tensor", generator: "torch.Generator") -> "Tensor":
        """As the feature says."""
        from service.workflow.data.augmentation import Changes, augment

        assert isinstance(feature, ImageFeature)  # noqa: S101 - as above
        return augment(Changes(**dict(feature.augmentation or ())), batch, generator)


def pixel_shape(column: Column) -> list[int] | None:
    """Channels, height and width of the images whose pixels a column of tensors has; None if it has none."""
    about = column.statistics
    if column.type != TensorType.name or about.get("dtype") != "uint8":
        return None
    return channels_first(about.get("shape", ()))


def default_size(column: Column) -> list[int]:
    """The medians of heights and widths, each at most `DEFAULT_SIDE`."""
    found = (column.statistics.get(side, {}).get("median", DEFAULT_SIDE) for side in ("height", "width"))
    pixels = pixel_shape(column)
    return [min(side, DEFAULT_SIDE) for side in (pixels[1:] if pixels else found)]


def default_channels(column: Column) -> Literal[1, 3]:
    """1 if all files are grey, else 3."""
    formats, pixels = column.statistics.get("formats", {}), pixel_shape(column)
    grey = pixels[0] == 1 if pixels else formats and column.statistics.get("grey") == sum(formats.values())
    return 1 if grey else 3


def decoded_rows(
    values: Sequence[bytes | None], shape: tuple[int, ...], decode: Callable[[bytes], Numbers], what: str
) -> Numbers:
    """The rows of a request as uint8 [n, *shape]. A missing one is zeros.

    Raises:
        InvalidValue: the first that cannot be decoded.
    """
    from service.workflow.data.values import InvalidValue  # which imports the registry, and that this file

    made = np.zeros((len(values), *shape), np.uint8)
    for row, value in enumerate(values):
        try:
            if value is not None:
                made[row] = decode(value)
        except BadImage as error:
            raise InvalidValue(row, f"the {what} cannot be read: {error}") from None
    return made


def _decoded(data: bytes, of: "Input") -> Numbers:
    channels, height, width = of.shape or (3, 0, 0)
    return decode_image(data, (height, width), 1 if channels == 1 else 3)
