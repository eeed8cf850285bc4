"""The files of the export `huggingface` make the same tensors of images, videos and texts as the service, and its networks."""

import base64
import io
import json
import runpy
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from service.workflow.data.images import decode_image
from service.workflow.data.texts.byte_pairs import train_merges, vocabulary_of
from service.workflow.data.texts.encoding import TextEncoding
from service.workflow.data.videos import decode_video
from service.workflow.exports.huggingface import encoder_architecture, folder
from service.workflow.models.input_shapes import InputShapes
from tests.examples import examples
from tests.workflow.test_kinds_for_shapes import CASES, made, random

MODULE = {name: each for file in folder.FILES for name, each in runpy.run_path(str(file)).items()}
DRAW = np.random.default_rng(2)
COLOURS = Image.fromarray(DRAW.integers(0, 256, (40, 30, 3), np.uint8))
TRANSPARENT = Image.fromarray(DRAW.integers(0, 256, (40, 30, 4), np.uint8), "RGBA")
FORMS: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
    "progressive": (COLOURS, "JPEG", {"progressive": True}),
    "cmyk": (COLOURS.convert("CMYK"), "JPEG", {}),
    "grey": (COLOURS.convert("L"), "PNG", {}),
    "grey with a transparent one": (COLOURS.convert("L"), "PNG", {"transparency": 5}),
    "black and white": (COLOURS.convert("1"), "PNG", {}),
    "16 bits": (Image.fromarray(DRAW.integers(0, 65_536, (20, 20), np.uint16)), "PNG", {}),
    "alpha": (TRANSPARENT, "PNG", {}),
    "grey and alpha": (TRANSPARENT.convert("LA"), "PNG", {}),
    "webp": (TRANSPARENT, "WEBP", {"lossless": True}),
    "palette": (COLOURS.quantize(16), "PNG", {"transparency": 3}),
    "gif": (COLOURS.quantize(16), "GIF", {"transparency": 3}),
}


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


SHAPES: list[tuple[Literal[1, 3], int, int]] = [(3, 16, 12), (1, 5, 7), (3, 40, 30), (3, 50, 60)]


def same_image(data: bytes) -> bool:
    return all(
        np.array_equal(
            decode_image(data, (height, width), channels),
            MODULE["read_image"](data, {"shape": [channels, height, width]}),
        )
        for channels, height, width in SHAPES
    )


@pytest.mark.parametrize("form", FORMS)
def test_an_image_has_the_same_pixels(form: str) -> None:
    image, name, options = FORMS[form]
    assert same_image(saved(image, name, **options))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_an_image_is_turned_as_exif_says(form: str) -> None:
    exif = Image.Exif()
    for orientation in range(1, 9):
        exif[0x0112] = orientation
        assert same_image(saved(COLOURS, form, exif=exif.tobytes()))


def test_an_image_may_be_a_path_an_address_with_its_data_or_an_open_one(tmp_path: Path) -> None:
    shape, data = {"shape": [3, 8, 9]}, saved(COLOURS, "PNG")
    (tmp_path / "a.png").write_bytes(data)
    first = MODULE["read_image"](data, shape)
    address = "data:image/png;base64," + base64.b64encode(data).decode()
    for given_as in (str(tmp_path / "a.png"), tmp_path / "a.png", address, COLOURS):
        assert torch.equal(MODULE["read_image"](given_as, shape), first)
    assert not MODULE["read_image"](None, shape).any()


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_a_video_has_the_same_frames(form: str) -> None:
    frames = [Image.fromarray(DRAW.integers(0, 256, (9, 8, 3), np.uint8)) for _ in range(5)]
    data = saved(
        frames[0], form, save_all=True, append_images=frames[1:], **({"lossless": True} if form == "WEBP" else {})
    )
    for count in (1, 3, 7):
        found = MODULE["read_video"](data, {"shape": [count, 3, 6, 7]})
        assert np.array_equal(decode_video(data, count, (6, 7), 3), found)


MERGES = train_merges(["the quick brown fox", "über die Straße", "世界 🙂"] * 4, 300)
BYTE_PAIRS = {"encoding": "bpe", "merges": MERGES, "vocabulary": len(vocabulary_of(MERGES)) + 1}
ENCODINGS = [{"encoding": "ngrams", "ngrams": sizes, "buckets": 97} for sizes in ([1, 4], [2, 2], [3, 8])] + [
    BYTE_PAIRS
]


@example("\0 \ud800 x\u0301\u0301 \u202e 👩\u200d👩 ﬁ ß ŉ", 40)
@example("a" * 3000, 7)
@given(st.text(st.characters(), max_size=40), st.integers(1, 60))
@settings(max_examples=examples(60))
def test_a_text_has_the_same_ids(text: str, length: int) -> None:
    for encoding in ENCODINGS:
        how = TextEncoding.model_validate(encoding)
        of = json.loads(json.dumps({"shape": [length], "text": how.model_dump(exclude_none=True)}))
        assert MODULE["read_text"](text, of).tolist() == how.encode([text], length)[0].tolist()


@pytest.mark.parametrize(
    ("kind", "fields", "inputs"), CASES, ids=[f"{kind}-{at}" for at, (kind, _, _) in enumerate(CASES)]
)
def test_a_network_is_built_again(kind: str, fields: dict[str, object], inputs: InputShapes) -> None:
    own = made(kind, fields, inputs).eval()
    described = json.loads(json.dumps(encoder_architecture.describe_module(own)))
    with torch.device("meta"):
        again = MODULE["build"](described)
    again.load_state_dict(own.state_dict(), assign=True)
    rows = random(inputs, 3)
    with torch.inference_mode():
        # Convolutions may differ in the last bit by where their tensors are in memory.
        assert torch.allclose(again.eval()(rows), own(rows), rtol=0, atol=1e-6)
