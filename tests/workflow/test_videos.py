"""Videos become evenly sampled frames; what is no video is refused with the reason."""

import sys
from io import BytesIO
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from service.workflow.data import videos
from service.workflow.data.image_headers import BadImage
from service.workflow.data.video_child import decode_apart
from service.workflow.data.videos import NoVideoDecoder, VideoFacts, check_video, decode_video, is_light, sampled
from tests.workflow.pictures import GIF_FRAME, GIF_START, animated, png, saved

CONTAINERS = {  # format: (container, encoder, pixel format)
    "MP4": ("mp4", "libx264", "yuv420p"),
    "MOV": ("mov", "mpeg4", "yuv420p"),
    "WEBM": ("webm", "libvpx", "yuv420p"),
    "MKV": ("matroska", "libvpx-vp9", "yuv420p"),
    "AVI": ("avi", "mjpeg", "yuvj420p"),
}


def encoded(form: str, frames: int = 20) -> bytes:
    """A clip, 64 × 48, of grey frames 0, 10, 20, …"""
    container, encoder, pixels = CONTAINERS[form]
    stream = BytesIO()
    with av.open(stream, "w", format=container) as into:
        video: Any = into.add_stream(encoder, rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, pixels
        for at in range(frames):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 10 * at, np.uint8), format="rgb24")
            into.mux(video.encode(frame))
        into.mux(video.encode())
    return stream.getvalue()


def levels(data: bytes, count: int) -> list[int]:
    """Which frames were sampled, by their grey."""
    found = decode_video(data, count, (6, 8))
    assert found.shape == (count, 3, 6, 8) and found.dtype == np.uint8
    return [round(float(each.mean()) / 10) for each in found]


def test_frames_are_the_middles_of_equal_parts() -> None:
    assert sampled(20, 4) == [2, 7, 12, 17]
    assert sampled(8, 8) == [*range(8)]
    assert sampled(1, 3) == [0, 0, 0]
    assert sampled(3, 6) == [0, 0, 1, 1, 2, 2]
    for frames in range(1, 30):
        for count in range(1, 30):
            found = sampled(frames, count)
            assert len(found) == count and found == sorted(found) and 0 <= found[0] <= found[-1] < frames


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP"])
def test_animations(form: str) -> None:
    data = animated(20, form, **({"lossless": True} if form == "WEBP" else {}))
    assert check_video(data) == check_video(BytesIO(data)) == VideoFacts(form, 16, 12, 1 if form == "GIF" else 3, 20)
    assert levels(data, 4) == [2, 7, 12, 17]
    assert levels(animated(1, form), 3) == [0, 0, 0]
    assert decode_video(data, 2, (6, 8), 1).shape == (2, 1, 6, 8)


def test_a_picture_that_stands_for_an_animation_is_no_frame() -> None:
    data = animated(9, "PNG", default_image=True)
    assert check_video(data).frames == 8
    assert levels(data, 4) == [2, 4, 6, 8]


def test_frames_that_change_parts_are_drawn_on_those_before() -> None:
    first, second = Image.new("RGB", (16, 12), (200, 0, 0)), Image.new("RGB", (16, 12), (200, 0, 0))
    second.paste((0, 200, 0), (4, 4, 8, 8))
    for form in ("GIF", "PNG"):
        found = decode_video(saved(first, form, save_all=True, append_images=[second]), 2, (12, 16))
        assert found[1, :, 0, 0].tolist() == [200, 0, 0] and found[1, :, 5, 5].tolist() == [0, 200, 0]


@pytest.mark.parametrize("form", CONTAINERS)
def test_containers(form: str) -> None:
    data = encoded(form)
    named = {"MOV": "MP4", "MKV": "WEBM"}.get(form, form)
    assert check_video(data) == VideoFacts(named, 64, 48, 3, 20)
    assert levels(data, 4) == [2, 7, 12, 17]
    assert levels(data, 40) == [at // 2 for at in range(40)]
    assert decode_video(data, 2, (6, 8), 1).shape == (2, 1, 6, 8)


def test_a_child_decodes_to_the_same_frames() -> None:
    data = encoded("MP4")
    assert np.array_equal(decode_apart(data, 3, (6, 8), 3), decode_video(data, 3, (6, 8)))
    with pytest.raises(BadImage, match=r"^it is damaged and cannot be decoded$"):
        decode_apart(data[:200], 3, (6, 8), 3)


def test_without_pyav_animations_are_read_and_the_rest_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded("MP4", 2)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "av", None)
    assert check_video(animated(3, "GIF")).frames == 3
    for read in (
        check_video,
        lambda each: decode_video(each, 2, (6, 8)),
        lambda each: decode_apart(each, 2, (6, 8), 3),
    ):
        with pytest.raises(NoVideoDecoder, match=r"pip install 'modelwright\[video\]'"):
            read(data)


def sound(video: bool) -> bytes:
    """A container with sound, and a video stream without frames if `video`."""
    stream = BytesIO()
    with av.open(stream, "w", format="matroska") as into:
        if video:
            into.add_stream("mpeg4", rate=10)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        silence.sample_rate = 8000
        into.mux(into.add_stream("pcm_s16le", rate=8000).encode(silence))
    return stream.getvalue()


def other_codec() -> bytes:
    stream = BytesIO()
    with av.open(stream, "w", format="matroska") as into:
        video: Any = into.add_stream("ffv1", rate=10)
        video.width, video.height, video.pix_fmt = 16, 16, "yuv420p"
        into.mux(video.encode(av.VideoFrame(16, 16, "yuv420p")))
        into.mux(video.encode())
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b"no video at all", "it is no video in a format that is read; MP4"),
        (saved(Image.new("RGB", (8, 8)), "JPEG"), "it is no video in a format"),
        (b"#EXTM3U\nfile:///etc/passwd", "it is no video in a format"),
        (encoded("MP4")[:300], "it is damaged"),
        (b"\0\0\0\x18ftypmp42" + bytes(100), "it is "),
        (sound(video=True), "it has no frames"),
        (sound(video=False), "it has no video stream"),
        (other_codec(), "its codec is ffv1; H.264"),
        (animated(5, "GIF")[:60], "it is "),
        (GIF_START + GIF_FRAME * 20_001 + b";", "it has more than 20,000 frames"),
        (png(60_000, 60_000), "it is truncated"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    for read in (check_video, lambda each: decode_video(each, 2, (6, 8))):
        with pytest.raises(BadImage) as refused:
            read(data)
        assert reason in str(refused.value)


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(videos, "MOST_PIXELS", 1000)
    for data in (encoded("MP4"), encoded("AVI")):
        with pytest.raises(BadImage):
            check_video(data)
    monkeypatch.setattr(videos, "MOST_ANIMATION_PIXELS", 1000)
    with pytest.raises(BadImage, match="its frames have more than 1,000 pixels together"):
        check_video(animated(20, "GIF"))


def test_a_server_decodes_only_small_animations_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_light(animated(20, "GIF")) and not is_light(encoded("MP4", 2))
    monkeypatch.setattr(videos, "LIGHT_PIXELS", 16 * 12 * 10)
    assert is_light(animated(10, "PNG")) and not is_light(animated(11, "PNG"))
    with pytest.raises(BadImage, match="it is no video"):
        is_light(b"no video")


def test_an_error_of_a_decoder_in_a_later_step_is_damage() -> None:
    whole = animated(6, "GIF")
    assert whole[10] & 0x80  # it has a table of colours, without which a transparent frame cannot be drawn
    without = whole[:10] + b"\0" + whole[11:13] + whole[13 + (3 << (whole[10] & 7) + 1) :]
    for read in (check_video, lambda each: decode_video(each, 6, (6, 8))):
        with pytest.raises(BadImage, match="it is damaged"):
            read(without)
