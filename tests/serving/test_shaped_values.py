"""Values that have a shape: where they are read, what they take of the memory of requests, and tensors in requests."""

import io
from base64 import b64encode
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image

from service.serving.codecs import DECODERS, JSON, one_value
from service.serving.codecs.codec import Rows
from service.serving.errors import BodyNotTaken, Overloaded
from service.serving.memory_budget import MemoryBudget, counted
from service.serving.warm_models import Warm
from service.strict_json import decode_body
from service.workflow.data.texts.encoding import TextEncoding
from service.workflow.errors import InvalidInstances
from service.workflow.input_tensors import rows_in
from service.workflow.model import Model
from service.workflow.signature import Input, Output, Signature
from service.workflow.tasks import Task
from tests.harness.pictures import picture
from tests.serving.formats import MissingValueSupport

IMAGE = Input(name="photo", type="image", shape=[3, 8, 8], dtype="uint8")
VIDEO = Input(name="clip", type="video", shape=[4, 3, 8, 8], dtype="uint8")
TENSOR = Input(name="signal", type="tensor", shape=[2, 3])
TEXT = Input(name="review", type="text", shape=[16], text=TextEncoding(encoding="ngrams", ngrams=[1, 2], buckets=64))
AGE = Input(name="age", type="number")


def warm(*inputs: Input) -> Warm:
    signature = Signature(task=Task.REGRESSION, inputs=list(inputs), outputs=[Output(name="y", type="number")])
    return Warm(cast(Model, MissingValueSupport(True)), signature)


def tensor(rows: Rows, name: str) -> torch.Tensor:
    assert isinstance(rows, dict)
    return rows[name]


def read(model: Warm, document: Any) -> Rows:
    return DECODERS[JSON].read(model, document)


def npy(array: "np.ndarray[Any, Any]") -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_the_model_says_whether_the_event_loop_reads_a_body() -> None:
    decoder, small, long = DECODERS[JSON], b"[[0.5]]", b'{"instances": ["%b"]}' % (b"a" * 3000)
    assert decoder.in_event_loop(warm(AGE), small) is not None
    assert decoder.in_event_loop(warm(AGE), long) is not None
    assert decoder.in_event_loop(warm(TEXT), small) is not None
    assert decoder.in_event_loop(warm(TEXT), long) is None
    for model in (warm(IMAGE), warm(TEXT, IMAGE), warm(VIDEO), warm(TENSOR)):
        assert decoder.in_event_loop(model, small) is None
    of_image = one_value.decoder("image/png")
    assert of_image is not None and of_image.in_event_loop(warm(IMAGE), picture(1)) is None


def test_pixels_and_tensors_count_as_memory_of_the_request() -> None:
    large = io.BytesIO()
    Image.new("L", (1000, 1000)).save(large, "PNG")
    document = {"instances": [{"b64": b64encode(large.getvalue()).decode()}]}
    budget = MemoryBudget(10_000_000)
    with budget.share() as share, counted(share):
        assert rows_in(read(warm(IMAGE), document)) == 1
        assert 8_000_000 <= budget.taken <= 8_100_000  # two copies
    assert budget.taken == 0
    with budget.share() as other, budget.share() as share, counted(share):
        other.take(9_000_000)
        with pytest.raises(Overloaded):
            read(warm(IMAGE), document)
        assert budget.taken == 9_000_000
    assert rows_in(read(warm(IMAGE), document)) == 1  # a request without a share counts nothing


def test_a_tensor_too_large_for_a_request_is_never_allocated() -> None:
    huge = warm(Input(name="photo", type="image", shape=[3, 1024, 1024], dtype="uint8"))
    with pytest.raises(InvalidInstances, match="this model takes at most 85 at once"):
        read(huge, {"inputs": {"photo": [None] * 100}})


def test_tensors() -> None:
    values = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    model = warm(TENSOR)
    for document in (
        {"instances": values.tolist()},
        {"instances": [{"signal": each} for each in values.tolist()]},
        {"instances": [[each] for each in values.tolist()]},
        {"inputs": {"signal": values.tolist()}},
    ):
        assert np.array_equal(tensor(read(model, document), "signal"), values)
    assert np.array_equal(tensor(DECODERS["application/x-npy"].read(model, npy(values)), "signal"), values)
    rows = read(warm(AGE, TENSOR), {"instances": [[3, values[0].tolist()], {"signal": None, "age": None}]})
    assert np.array_equal(tensor(rows, "signal"), [values[0], np.zeros((2, 3))])
    assert tensor(rows, "features")[0].tolist() == [3] and tensor(rows, "features")[1].isnan().all()
    for wrong, reason in (
        ({"instances": [[[1, 2], [3, 4]]]}, r"/instances/0: has the shape \[2, 2\]; \[2, 3\] is expected"),
        ({"instances": ["a"]}, "/instances/0: expected nested lists of numbers"),
        ({"instances": [{"signal": [[1, 2, 3], [4, 5, 1e39]]}]}, "/instances/0/signal: .*not finite"),
        ({"instances": [{"b64": ""}]}, "/instances/0: expected nested lists"),
    ):
        with pytest.raises(InvalidInstances, match=reason):
            read(model, wrong)


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((2, 3, 8, 9), np.uint8), r"has the shape \[3, 8, 9\]; \[3, 8, 8\] is expected"),
        (np.zeros((), np.uint8), "no axis of rows"),
        (np.zeros(4, np.uint8), r"has the shape \[1\]"),
        (np.zeros((0, 3, 8, 8), np.uint8), "has 0 rows"),
        (np.full((1, 3, 8, 8), 256, np.int64), "whole numbers from 0 to 255"),
        (np.full((1, 3, 8, 8), np.nan), "whole numbers from 0 to 255"),
        (np.zeros((1, 3, 8, 8), bool), "something else than numbers"),
    ],
)
def test_wrong_arrays_of_pixels(array: "np.ndarray[Any, Any]", reason: str) -> None:
    with pytest.raises(InvalidInstances, match=reason):
        DECODERS["application/x-npy"].read(warm(IMAGE), npy(array))


def test_grey_pixels_need_no_axis_of_channels() -> None:
    model = warm(IMAGE.model_copy(update={"shape": [1, 8, 8]}))
    array = np.arange(128, dtype=np.uint8).reshape(2, 8, 8)
    for given in (array, array[:, None], array[..., None]):
        found = tensor(DECODERS["application/x-npy"].read(model, npy(given)), "photo")
        assert np.array_equal(found, array[:, None])


def test_a_clip_is_a_body_and_pixels() -> None:
    model = warm(VIDEO)
    clip = picture(1, "GIF", frames=6)
    for media_type in ("image/gif", "video/mp4", "video/x-anything"):  # its bytes say what it is
        decoder = one_value.decoder(media_type)
        assert decoder is not None
        found = tensor(decoder.read(model, clip), "clip")
        assert found.shape == (1, 4, 3, 8, 8) and found.float().std() > 1
    array = np.zeros((1, 4, 8, 8, 3), np.uint8)  # channels last
    assert tensor(DECODERS["application/x-npy"].read(model, npy(array)), "clip").shape == (1, 4, 3, 8, 8)
    decoder = one_value.decoder("video/mp4")
    assert decoder is not None
    with pytest.raises(BodyNotTaken, match=r"photo \(image\): send image/png"):
        decoder.read(warm(IMAGE), clip)
    with pytest.raises(BodyNotTaken, match=r"age \(number\): send application/json or multipart/form-data"):
        decoder.read(warm(AGE), clip)
    assert one_value.decoder("audio/wav") is None


def test_a_document_may_mix_all_types() -> None:
    model = warm(IMAGE, TEXT, AGE)
    body = b'{"instances": [{"photo": {"b64": "%b"}, "review": "good", "age": 3}, [null, null, null]]}'
    rows = read(model, decode_body(body % b64encode(picture(1))))
    assert {name: list(each.shape) for name, each in cast(dict[str, torch.Tensor], rows).items()} == {
        "photo": [2, 3, 8, 8],
        "review": [2, 16],
        "features": [2, 1],
    }
    assert not tensor(rows, "photo")[1].any() and not tensor(rows, "review")[1].any()
    with pytest.raises(InvalidInstances) as caught:
        read(model, {"instances": [{"photo": "x", "review": [1], "age": "old"}, [1, 2]]})
    assert [each.pointer for each in caught.value.faults] == [
        "/instances/0/photo",
        "/instances/0/review",
        "/instances/0/age",
        "/instances/1",
    ]
