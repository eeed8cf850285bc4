"""The frames of MP4, MOV, WebM, Matroska and AVI files, by PyAV, which the extra `modelwright[video]` installs.

PyAV calls FFmpeg, whose parsers are too many to trust: files of strangers are opened in a child process only. Of its formats and
codecs those below are used, and none that opens other files.
"""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING

from service.workflow.data.image_headers import BadImage, damaged, truncated

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from PIL.Image import Image

DEMUXERS = {"MP4": "mp4", "WEBM": "matroska", "AVI": "avi"}  # FFmpeg's names
CODECS = ("h264", "hevc", "vp8", "vp9", "av1", "libdav1d", "mpeg4", "mjpeg")


class NoVideoDecoder(BadImage):
    """A video cannot be read, because PyAV is not installed."""

    def __init__(self) -> None:
        super().__init__("this needs PyAV, which is not installed: pip install 'modelwright[video]'")


def decoder_installed() -> bool:
    """Whether PyAV is installed."""
    return importlib.util.find_spec("av") is not None


def frames(data: bytes, form: str, most_pixels: int) -> "Iterator[tuple[int, VideoFrame]]":
    """The frames of the first video stream, each with its time in a unit of the stream.

    Raises:
        BadImage: it cannot be read.
        NoVideoDecoder: PyAV is not installed.
    """
    with _opened(data, form) as container:
        stream = _stream(container)
        # FFmpeg checks each frame, since they need not have the size that the header says.
        stream.codec_context.options = {"max_pixels": str(most_pixels)}
        for position, frame in enumerate(container.decode(stream)):
            yield position if frame.pts is None else frame.pts, frame


def times(data: bytes, form: str) -> list[int]:
    """The times of all frames, in order, without decoding any. Raises as `frames`."""
    with _opened(data, form) as container:
        found: list[int] = []
        for packet in container.demux(_stream(container)):
            if packet.size:
                time = packet.dts if packet.pts is None else packet.pts
                found.append(len(found) if time is None else time)
    return sorted(found)


def picture(frame: "VideoFrame") -> "Image":
    """A frame as it is shown."""
    image: Image = frame.to_image()  # type: ignore[no-untyped-call]
    quarters = _quarters(frame)
    return image.rotate(90 * quarters, expand=True) if quarters else image


def shown_size(frame: "VideoFrame") -> tuple[int, int]:
    """Width and height of a frame as it is shown."""
    return (frame.height, frame.width) if _quarters(frame) % 2 else (frame.width, frame.height)


def _quarters(frame: "VideoFrame") -> int:
    """How many quarters of a turn to the left a frame needs."""
    return round(frame.rotation / 90) % 4


@contextmanager
def _opened(data: bytes, form: str) -> "Iterator[InputContainer]":
    if not decoder_installed():
        raise NoVideoDecoder
    import av

    try:
        with av.open(BytesIO(data), "r", format=DEMUXERS[form]) as container:
            yield container
    except (BadImage, MemoryError):
        raise
    except av.EOFError as error:
        raise truncated() from error
    except Exception as error:  # of a decoder, about bytes of a stranger
        raise damaged() from error


def _stream(container: "InputContainer") -> "VideoStream":
    if not container.streams.video:
        raise BadImage("it has no video stream")
    stream = container.streams.video[0]
    if stream.codec_context is None or stream.codec_context.name not in CODECS:
        name = "one that is not known" if stream.codec_context is None else stream.codec_context.name
        raise BadImage(f"its codec is {name}; H.264, HEVC, VP8, VP9, AV1, MPEG-4 and Motion JPEG are read")
    stream.codec_context.thread_count = 1  # clips are decoded beside one another
    return stream
