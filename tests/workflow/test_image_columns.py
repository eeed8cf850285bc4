"""Columns of images and videos: from files to tensors, and to trained models."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from service.workflow.data.images import check_image, decode_image
from service.workflow.data.picture_survey import PictureSurvey
from service.workflow.data.schema import Column, Schema
from service.workflow.data.table import Table
from service.workflow.data.tensor_cache import TensorCache
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.data.types.shaped_type import ShapedType
from service.workflow.data.values import InvalidValue
from service.workflow.data.videos import VideoFacts
from service.workflow.errors import InvalidData, InvalidSpec
from service.workflow.learn import TrainingResult, learn, predict
from service.workflow.resolve import Resolved, resolve
from service.workflow.signature import Input
from service.workflow.spec import parse, parse_resolved
from service.workflow.state import State, flatten, unflatten
from tests.workflow.pictures import animated, column, gradient, saved

ROWS = 48
LAYERS = {
    "kind": "layers",
    "layers": [
        {"name": "Conv2d", "out_channels": 6, "kernel_size": 3},
        {"name": "ReLU"},
        {"name": "AdaptiveAvgPool2d", "output_size": 2},
        {"name": "Flatten"},
        {"name": "Linear"},
    ],
}


def kind(name: str) -> ShapedType:
    found = COLUMN_TYPES[name]
    assert isinstance(found, ShapedType)
    return found


def photos() -> tuple[list[bytes], list[int]]:
    """Files of several formats and sizes: gradients as they are, and upside down."""
    files, labels = [], []
    for row in range(ROWS):
        picture = gradient(20 + row % 5, 30 + row % 3)
        labels.append(row // 3 % 2)
        turned = picture.rotate(180) if labels[-1] else picture
        files.append(saved(turned, ["PNG", "JPEG", "WEBP"][row % 3]))
    return files, labels


def schema(name: str, statistics: dict[str, Any], missing: int = 0) -> Schema:
    y = Column(name="y", type="number", integer=True, values=[0, 1], counts=[ROWS // 2, ROWS // 2])
    return Schema(rows=ROWS, columns=[Column(name=name, type=name, statistics=statistics, missing=missing), y])


def resolved(feature: dict[str, Any], statistics: dict[str, Any] | None = None, **parts: Any) -> Resolved:
    name = feature["type"]
    data = {"kind": "dataset", "dataset": "photos", "target": "y", "features": {name: feature}}
    spec = parse({"model_name": "m", "data": data, "model": LAYERS, **parts})
    return resolve(spec, schema(name, statistics or {}))


def options(feature: dict[str, Any], statistics: dict[str, Any] | None = None) -> dict[str, Any]:
    """The feature as a resolved spec shows it."""
    found: dict[str, Any] = resolved(feature, statistics).spec.to_json()["data"]["features"][feature["type"]]
    return found


def surveyed(files: list[bytes]) -> dict[str, Any]:
    survey = PictureSurvey()
    for each in files:
        survey.add(check_image(each))
    return survey.statistics()


def test_defaults_follow_from_the_files() -> None:
    files = [saved(gradient(height, width)) for height, width in ((20, 100), (30, 200), (40, 300), (50, 90))]
    statistics = surveyed([*files, saved(gradient(5, 5).convert("L"), "JPEG")])
    assert statistics == {
        "height": {"min": 5, "median": 30, "max": 50},
        "width": {"min": 5, "median": 100, "max": 300},
        "frames": {"min": 1, "median": 1, "max": 1},
        "grey": 1,
        "formats": {"jpeg": 1, "png": 4},
    }
    crop = {"flip": False, "crop": 2, "rotate": 0.0, "color": 0.0}
    made = {"type": "image", "size": [30, 64], "channels": 3, "augmentation": crop}
    assert options({"type": "image"}, statistics) == made
    assert options({"type": "image"})["size"] == [64, 64]
    grey = surveyed([saved(gradient(28, 28).convert("L"))])
    assert options({"type": "image"}, grey) == made | {"size": [28, 28], "channels": 1}
    assert options({"type": "image", "size": 1}, grey)["augmentation"]["crop"] == 0
    given = {"size": [8, 9], "channels": 3, "augmentation": {"flip": True, "crop": 7, "rotate": 10, "color": 0.5}}
    assert options({"type": "image", **given}, grey) == {"type": "image", **given}
    assert options({"type": "video"}, grey) == {"type": "video", "frames": 8, "size": [28, 28], "channels": 1}


@pytest.mark.parametrize(
    ("feature", "fault"),
    [
        ({"type": "image", "size": 0}, "/size"),
        ({"type": "image", "size": [64]}, "/size"),
        ({"type": "image", "size": [64, 1025]}, "/size"),
        ({"type": "image", "size": True}, "/size"),
        ({"type": "image", "channels": 4}, "/channels"),
        ({"type": "image", "frames": 4}, "/frames: unknown field"),
        ({"type": "image", "augmentation": {"crop": -1}}, "/augmentation/crop"),
        ({"type": "image", "size": [8, 30], "augmentation": {"crop": 8}}, "/augmentation/crop: images of 8 × 30"),
        ({"type": "image", "augmentation": {"rotate": 181}}, "/augmentation/rotate"),
        ({"type": "image", "augmentation": {"color": 1.1}}, "/augmentation/color"),
        ({"type": "image", "augmentation": {"blur": 1}}, "/augmentation/blur: unknown field"),
        ({"type": "video", "frames": 0}, "/frames"),
        ({"type": "video", "frames": 256, "size": 1024}, "/frames: 256 frames of 3 × 1024 × 1024 are 805,306,368"),
    ],
)
def test_wrong_options_are_refused(feature: dict[str, Any], fault: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        resolved(feature)
    assert f"/data/features/{feature['type']}{fault}" in str(refused.value)


def test_other_columns_are_no_images() -> None:
    data = {"kind": "dataset", "dataset": "d", "target": "y", "features": {"x": {"type": "image"}}}
    of = Schema(rows=2, columns=[Column(name="x", type="number"), Column(name="y", type="number")])
    with pytest.raises(InvalidSpec, match=r"/data/features/x/type: 'x' is a number and holds no images"):
        resolve(parse({"model_name": "m", "data": data, "model": LAYERS}), of)
    with pytest.raises(InvalidSpec, match=r"/data/target: 'image' holds images"):
        resolve(
            parse({"model_name": "m", "data": {"kind": "dataset", "dataset": "d", "target": "image"}}),
            schema("image", {}),
        )


def test_video_that_needs_a_decoder_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    survey = PictureSurvey()
    survey.add(VideoFacts("MP4", 64, 48, 3, 20))
    options({"type": "video"}, survey.statistics())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InvalidSpec, match=r"/data/features/video: .*pip install 'modelwright\[video\]'"):
        options({"type": "video"}, survey.statistics())


@pytest.mark.parametrize("threads", [1, 3])
def test_files_become_a_tensor(tmp_path: Path, threads: int) -> None:
    files: list[bytes | None] = [*photos()[0] * 4, None]
    of = Input(name="image", type="image", shape=[3, 12, 14], dtype="uint8")
    torch.set_num_threads(threads)
    try:
        made = kind("image").to_tensor(of, column(tmp_path, files), TensorCache())
    finally:
        torch.set_num_threads(1)
    assert made.dtype is torch.uint8 and made.shape == (len(files), 3, 12, 14)
    expected = [np.zeros((3, 12, 14)) if each is None else decode_image(each, (12, 14)) for each in files]
    assert np.array_equal(made.numpy(), np.stack(expected))


@pytest.mark.parametrize("wrong", [b"no image", saved(gradient(9, 9))[:-40]], ids=["a text", "a part"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, wrong: bytes) -> None:
    of = Input(name="image", type="image", shape=[3, 12, 14], dtype="uint8")
    files = [*photos()[0][:2], wrong]
    with pytest.raises(InvalidData, match=r"^'2.png' cannot be read: it is "):
        kind("image").to_tensor(of, column(tmp_path, files), TensorCache())
    found = column(tmp_path, photos()[0][:4])
    damaged = bytearray((tmp_path / "files").read_bytes())
    damaged[int(found.offsets[3])] ^= 0xFF
    (tmp_path / "files").write_bytes(damaged)
    with pytest.raises(InvalidData, match=r"^'3.png' cannot be read: its archive is damaged"):
        kind("image").to_tensor(of, found, TensorCache())


def test_files_of_requests() -> None:
    of = Input(name="image", type="image", shape=[1, 5, 6], dtype="uint8")
    photo = saved(gradient(20, 30))
    made = kind("image").to_tensor(of, kind("image").from_request(of, [photo, None]), TensorCache())
    assert np.array_equal(made[0].numpy(), decode_image(photo, (5, 6), 1)) and not made[1].any()
    with pytest.raises(InvalidValue, match="the image cannot be read: it is truncated") as refused:
        kind("image").from_request(of, [photo, photo[: len(photo) // 2]])
    assert refused.value.row == 1
    clip = Input(name="video", type="video", shape=[4, 3, 5, 6], dtype="uint8")
    frames = kind("video").from_request(clip, [animated(20, "GIF")])
    assert frames.shape == (1, 4, 3, 5, 6)  # type: ignore[union-attr]
    with pytest.raises(InvalidValue, match="the video cannot be read: it is no video"):
        kind("video").from_request(clip, [photo[:4]])


@pytest.mark.parametrize("shape", [(9, 8), (1, 9, 8), (9, 8, 1), (3, 9, 8), (9, 8, 3)])
def test_arrays_of_pixels_are_images(tmp_path: Path, shape: tuple[int, ...]) -> None:
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (5, *shape), dtype=np.uint8)
    about = Column(name="x", type="tensor", statistics={"shape": [*shape], "dtype": "uint8"})
    assert kind("image").refusal(about) is None
    feature = kind("image").resolved(kind("image").feature(type="image"), about)
    channels = 3 if 3 in shape else 1
    assert kind("image").shaped_fields(feature) == {"shape": [channels, 9, 8], "dtype": "uint8"}
    np.save(tmp_path / "x.npy", pixels)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    first = np.moveaxis(pixels, 3, 1) if shape[-1] in (1, 3) else pixels.reshape(5, channels, 9, 8)
    of = Input(name="x", type="image", shape=[channels, 9, 8], dtype="uint8")
    assert np.array_equal(kind("image").to_tensor(of, mapped, TensorCache()).numpy(), first)
    other = Input(name="x", type="image", shape=[4 - channels, 5, 6], dtype="uint8")
    for array, found in zip(first, kind("image").to_tensor(other, mapped, TensorCache()).numpy(), strict=True):
        file = saved(Image.fromarray(array[0] if channels == 1 else array.transpose(1, 2, 0)))
        assert np.array_equal(found, decode_image(file, (5, 6), 1 if channels == 3 else 3))


@pytest.mark.parametrize(("shape", "dtype"), [([9, 8], "float32"), ([9, 8, 4], "uint8"), ([2, 3, 9, 8], "uint8")])
def test_other_tensors_are_no_images(shape: list[int], dtype: str) -> None:
    about = Column(name="x", type="tensor", statistics={"shape": shape, "dtype": dtype})
    assert f"holds tensors of {dtype} {shape}, and images are uint8" in str(kind("image").refusal(about))


def trained(of: Resolved, table: Table, saved_state: State | None = None, stop_after: int = 0) -> TrainingResult:
    torch.set_num_threads(1)
    steps, kept = 0, {}

    def after_step(state: Any) -> None:
        nonlocal steps, kept
        steps += 1
        if steps == stop_after:
            kept = unflatten(*flatten(state()))

    spec = parse_resolved(of.spec.to_json())
    result = learn(spec, of.signature, table, lambda *_: None, after_step=after_step, saved=saved_state)
    return trained(of, table, kept) if stop_after else result


def test_images_are_learned_from(tmp_path: Path) -> None:
    files, labels = photos()
    feature = {"type": "image", "size": [12, 16], "augmentation": {"crop": 1, "rotate": 5, "color": 0.1}}
    of = resolved(feature, surveyed(files), training={"epochs": 30, "early_stopping": None, "batch_size": 16})
    table = Table({"image": column(tmp_path, files), "y": np.array(labels, np.float64)})
    result = trained(of, table)
    assert result.evaluation.metrics["test"]["accuracy"] == 1.0
    assert result.model.tensors()["preprocessing.inputs.0.mean"].shape == (3, 1, 1)
    raw = {"image": torch.from_numpy(np.stack([decode_image(each, (12, 16)) for each in files]))}
    assert (predict(result.model, raw).argmax(dim=1) == torch.tensor(labels)).all()


def test_a_training_with_all_augmentation_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    files, labels = photos()
    every = {"flip": True, "crop": 2, "rotate": 20, "color": 0.3}
    feature = {"type": "image", "size": [10, 12], "augmentation": every}
    of = resolved(feature, training={"epochs": 3, "early_stopping": None, "batch_size": 8})
    table = Table({"image": column(tmp_path, files), "y": np.array(labels, np.float64)})
    whole = trained(of, table).model.tensors()
    for stop_after in (2, 7):
        went_on = trained(of, table, stop_after=stop_after).model.tensors()
        assert all(torch.equal(tensor, went_on[name]) for name, tensor in whole.items())
    plain = resolved({**feature, "augmentation": {"crop": 0}}, training={"epochs": 3, "early_stopping": None})
    assert not torch.equal(whole["0.weight"], trained(plain, table).model.tensors()["0.weight"])


def test_clips_are_learned_from(tmp_path: Path) -> None:
    labels = [row % 2 for row in range(ROWS)]
    clips = [animated(2 + 8 * label, "GIF") for label in labels]
    layers = [{"name": "Conv3d", "out_channels": 2, "kernel_size": 1}, {"name": "Flatten"}, {"name": "Linear"}]
    of = resolved(
        {"type": "video", "frames": 3, "size": 2},
        training={"epochs": 30, "early_stopping": None, "batch_size": 16},
        model={"kind": "layers", "layers": layers},
    )
    assert str(of.inputs) == "video [n, 3, 3, 2, 2]"
    result = trained(of, Table({"video": column(tmp_path, clips), "y": np.array(labels, np.float64)}))
    assert result.evaluation.metrics["test"]["accuracy"] == 1.0
    assert result.model.tensors()["preprocessing.inputs.0.mean"].shape == (1, 3, 1, 1)
