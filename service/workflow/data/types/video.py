"""Videos, each sampled to a tensor uint8 [frames, channels, height, width]."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from service.workflow.data.image_headers import BadImage, read_header
from service.workflow.data.images import COPIES
from service.workflow.data.schema import Column
from service.workflow.data.table import Files, Numbers, Values
from service.workflow.data.tensor_cache import TensorCache
from service.workflow.data.types.feature import Feature
from service.workflow.data.types.image import (
    CHANNELS,
    SIZE,
    Channels,
    Size,
    decoded_rows,
    default_channels,
    default_size,
)
from service.workflow.data.types.shaped_type import ShapedType
from service.workflow.data.video_child import decode_apart
from service.workflow.data.video_containers import DEMUXERS, NoVideoDecoder, decoder_installed
from service.workflow.data.videos import VIDEO_TYPES, decode_video, is_light
from service.workflow.errors import invalid

if TYPE_CHECKING:
    from torch import Tensor

    from service.workflow.signature import Input

DEFAULT_FRAMES = 8
MOST_NUMBERS = 2**24  # of one video's tensor


class VideoFeature(Feature):
    """How videos become tensors."""

    frames: Annotated[int, Field(ge=1, le=256)] | None = Field(
        default=None, description=f"the number of frames, sampled evenly; {DEFAULT_FRAMES} by default"
    )
    size: Size | None = Field(default=None, description=SIZE)
    channels: Channels | None = Field(default=None, description=CHANNELS)


class Video(ShapedType):
    """A video, kept as uint8 [frames, channels, height, width]."""

    name: ClassVar[str] = "video"
    channels_first: ClassVar[bool] = True
    file_example: ClassVar[tuple[str, str] | None] = ("clip.mp4", "video/mp4")
    no_target: ClassVar[str | None] = "holds videos"
    files: ClassVar[bool] = True
    media_types: ClassVar[tuple[str, ...]] = ("video/*", *(each for each in VIDEO_TYPES if each.startswith("image/")))
    expects: ClassVar[str] = "a video"
    feature: ClassVar[type[Feature]] = VideoFeature

    def refusal(self, column: Column) -> str | None:
        """Any other column has no videos."""
        return None if column.type == self.name else f"is a {column.type} and holds no videos"

    def resolved(self, feature: Feature, column: Column) -> Feature:
        """Size and channels are by default those of images."""
        assert isinstance(feature, VideoFeature)  # noqa: S101 - it is of `self.feature`
        formats = {each.upper() for each in column.statistics.get("formats", {})}
        if not formats.isdisjoint(DEMUXERS) and not decoder_installed():
            raise invalid("", str(NoVideoDecoder()))
        frames, size = feature.frames or DEFAULT_FRAMES, feature.size or default_size(column)
        channels = feature.channels or default_channels(column)
        if (numbers := math.prod((frames, channels, *size))) > MOST_NUMBERS:
            what = f"{frames} frames of {channels} × {size[0]} × {size[1]} are {numbers:,} numbers"
            raise invalid("/frames", f"{what} for each video, and at most {MOST_NUMBERS:,} are possible")
        return VideoFeature(type=self.name, frames=frames, size=size, channels=channels)

    def shaped_fields(self, feature: Feature) -> dict[str, Any]:
        """uint8 [frames, channels, height, width]."""
        assert isinstance(feature, VideoFeature)  # noqa: S101 - as above
        return {"shape": [feature.frames, feature.channels, *(feature.size or ())], "dtype": "uint8"}

    def in_words(self, shape: Sequence[int]) -> str:
        """Frames, colours and size."""
        frames, channels, height, width = shape
        colours = "grey" if channels == 1 else "colour"
        return f"{frames} {colours} frames of each video, resized to {height} × {width} pixels (height × width)"

    def to_tensor(self, of: "Input", column: Values, cache: TensorCache) -> "Tensor":
        """Decodes files in threads of this process, which is that of an attempt; they were checked when they were uploaded."""
        import torch

        from service.workflow.data.decode_files import decode_files

        if isinstance(column, Files):
            return decode_files(column, tuple(of.shape or ()), lambda data: decode_video(data, *_sizes(of)), cache)
        assert isinstance(column, np.ndarray)  # noqa: S101 - it was read as videos
        return torch.from_numpy(column)

    def pixels(self, value: Any) -> int:
        """Those of a frame, times its copies in memory; 0 if a child process decodes it, or it cannot be read."""
        try:
            if not is_light(value):
                return 0
            header = read_header(value, animated=True)
        except BadImage:
            return 0
        return header.width * header.height * COPIES[header.format]

    def from_request(self, of: "Input", values: Sequence[Any]) -> Values:
        """Decodes the files of a request, one after another; in a child process what Pillow does not decode in a second."""
        return decoded_rows(values, tuple(of.shape or ()), lambda data: _decoded(data, of), self.name)

    def channel_axis(self, shape: Sequence[int]) -> int | None:
        """The channels."""
        return 1


def _decoded(data: bytes, of: "Input") -> Numbers:
    decode = decode_video if is_light(data) else decode_apart
    return decode(data, *_sizes(of))


def _sizes(of: "Input") -> tuple[int, tuple[int, int], Literal[1, 3]]:
    """Frames, height and width, channels."""
    frames, channels, height, width = of.shape or (1, 3, 0, 0)
    return frames, (height, width), 1 if channels == 1 else 3
