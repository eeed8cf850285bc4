"""Videos as arrays of frames sampled evenly: animated GIF, WebP and PNG files by Pillow, others by `video_containers`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Literal

import numpy as np

from service.workflow.data.image_headers import BadImage, Header, damaged, read_header
from service.workflow.data.images import MOST_PIXELS, decoder_errors, opened, to_array
from service.workflow.data.table import Numbers
from service.workflow.data.video_containers import DEMUXERS, NoVideoDecoder, frames, picture, shown_size, times

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["VIDEO_TYPES", "NoVideoDecoder", "VideoFacts", "check_video", "decode_video", "form_of", "is_light"]

VIDEO_TYPES = {
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/png": "PNG",
    "image/apng": "PNG",
    "video/mp4": "MP4",
    "video/quicktime": "MP4",
    "video/webm": "WEBM",
    "video/matroska": "WEBM",
    "video/x-matroska": "WEBM",
    "video/x-msvideo": "AVI",
}
READ = "MP4, MOV, WebM, Matroska, AVI and animated GIF, WebP and PNG are read"
MOST_BYTES = 256 * 2**20
MOST_FRAMES = 20_000  # of a clip: 11 minutes at 30 a second
MOST_ANIMATION_PIXELS = 2 * 10**9  # of all frames of a GIF, WebP or PNG file, each of which is drawn on the one before
LIGHT_PIXELS = 10**8  # likewise


@dataclass(frozen=True)
class VideoFacts:
    """A video: its format (GIF, WEBP, PNG, MP4, WEBM or AVI), width and height as it is shown, channels (1 if it is grey, else
    3) and frames."""

    format: str
    width: int
    height: int
    channels: Literal[1, 3]
    frames: int


def is_light(data: bytes) -> bool:
    """Whether a server may decode a video in a thread: by Pillow, and in a second at most.

    Raises:
        BadImage: it has no format that is read, or more pixels or frames than are read.
    """
    if form_of(data) in DEMUXERS:
        return False
    header = _animation(data)
    return header.width * header.height * header.frames <= LIGHT_PIXELS


def check_video(data: bytes | BinaryIO) -> VideoFacts:
    """Decodes a whole video, in a child process.

    Raises:
        BadImage: it cannot be read.
        NoVideoDecoder: its format needs PyAV, which is not installed.
    """
    if not isinstance(data, bytes):
        data = data.read(MOST_BYTES + 1)
    form = form_of(data)
    if form in DEMUXERS:
        return _check_container(data, form)
    header = _animation(data)
    with decoder_errors():
        for image in _animation_frames(header, header.frames):
            to_array(image, "RGB", (1, 1))
    width, height = (header.height, header.width) if header.orientation > 4 else (header.width, header.height)
    return VideoFacts(form, width, height, 1 if header.grey else 3, header.frames)


def decode_video(data: bytes, count: int, size: tuple[int, int], channels: Literal[1, 3] = 3) -> Numbers:
    """`count` frames of a video as uint8 [count, channels, height, width]: the middle ones of as many equal parts, each made as
    `images.decode_image` makes an image. If there are fewer, some are repeated.

    Args:
        size: height and width.

    Raises:
        BadImage: it cannot be read.
        NoVideoDecoder: its format needs PyAV, which is not installed.
    """
    form, mode = form_of(data), "L" if channels == 1 else "RGB"
    if form in DEMUXERS:
        return _decode_container(data, form, count, mode, size[::-1])
    header = _animation(data)
    wanted, found = sampled(header.frames, count), {}
    across = size if header.orientation > 4 else size[::-1]
    with decoder_errors():
        for position, image in enumerate(_animation_frames(header, wanted[-1] + 1)):
            if position in wanted:
                found[position] = to_array(image, mode, across, header.orientation)
    return np.stack([found[position] for position in wanted])


def sampled(frames: int, count: int) -> list[int]:
    """The positions of `count` frames among all: the middle of each of as many equal parts."""
    return [(2 * part + 1) * frames // (2 * count) for part in range(count)]


def form_of(data: bytes) -> str:
    """The format of a video, by its first bytes. Raises BadImage if none is read, or the file is too large."""
    if len(data) > MOST_BYTES:
        raise BadImage(f"it has more than {MOST_BYTES:,} bytes, and no more are read")
    if data[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "MP4"
    if data.startswith(b"\x1aE\xdf\xa3"):
        return "WEBM"
    if data.startswith(b"RIFF") and data[8:12] == b"AVI ":
        return "AVI"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    raise BadImage(f"it is no video in a format that is read; {READ}" if data else "it is empty")


def _animation(data: bytes) -> Header:
    header = read_header(data, animated=True)
    _check_size(header.width, header.height, header.frames)
    if header.width * header.height * header.frames > MOST_ANIMATION_PIXELS:
        raise BadImage(f"its frames have more than {MOST_ANIMATION_PIXELS:,} pixels together, and no more are read")
    return header


def _check_size(width: int, height: int, frames: int) -> None:
    if width < 1 or height < 1:
        raise BadImage("it has no pixels")
    if width * height > MOST_PIXELS:
        raise BadImage(f"it has {width:,} × {height:,} pixels, and at most {MOST_PIXELS:,} are read")
    if frames > MOST_FRAMES:
        raise BadImage(f"it has more than {MOST_FRAMES:,} frames, and no more are read")


def _animation_frames(header: Header, count: int) -> "Iterator[Image]":
    """The first frames."""
    image = opened(header)
    # What an animated PNG file shows where animations are not known is a frame for Pillow, but not for the file.
    first = 1 if getattr(image, "default_image", False) else 0
    for position in range(count):
        image.seek(first + position)
        image.load()
        if image.width > header.width or image.height > header.height:
            raise damaged()
        yield image


def _check_container(data: bytes, form: str) -> VideoFacts:
    facts, count = None, 0
    for count, (_, frame) in enumerate(frames(data, form, MOST_PIXELS), 1):
        _check_size(frame.width, frame.height, count)
        if facts is None:
            facts = (*shown_size(frame), 1 if frame.format.name.startswith("gray") else 3)
    if facts is None:
        raise BadImage("it has no frames")
    width, height, channels = facts
    return VideoFacts(form, width, height, 1 if channels == 1 else 3, count)


def _decode_container(data: bytes, form: str, count: int, mode: str, size: tuple[int, int]) -> Numbers:
    """The frames at the wanted times. What its packets announce and its frames lack is replaced by the last frame."""
    all_times = times(data, form)
    _check_size(1, 1, len(all_times))
    wanted = [all_times[position] for position in sampled(len(all_times), count)] if all_times else []
    found: list[Numbers] = []
    for time, frame in frames(data, form, MOST_PIXELS) if wanted else ():
        due = sum(1 for each in wanted[len(found) :] if each <= time)
        found += [to_array(picture(frame), mode, size)] * due
        last = frame
        if len(found) == count:
            return np.stack(found)
    if not wanted:
        raise BadImage("it has no frames")
    return np.stack(found + [to_array(picture(last), mode, size)] * (count - len(found)))
