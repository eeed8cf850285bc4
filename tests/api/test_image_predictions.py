"""Predictions of models with images, alone and beside a column of a table, in every format of a request."""

import base64
import io
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import orjson
import polars as pl
import pytest
from PIL import Image

from service.api.dialects.sagemaker import SAGEMAKER
from service.serving.codecs import one_value
from tests.api.conftest import ended
from tests.harness.pictures import picture, zip_of

SIZE = (8, 8)  # as trained
CLASSES = 2
FILES = {f"{kind}/{each}.png": picture(10 * at + each) for at, kind in enumerate(("cat", "dog")) for each in range(6)}
PNG = picture(1, size=SIZE)
JPEG = picture(2, "JPEG", size=(30, 20))
LAYERS = {"kind": "layers", "layers": [{"name": "Flatten"}, {"name": "Linear", "out_features": 1}]}
SHORT = {"epochs": 2, "seed": 0}
JSON = "application/json"


def train(http: httpx.Client, **spec: Any) -> None:
    accepted = http.post("/v1/training-jobs", json=spec)
    assert accepted.status_code == 202, accepted.text
    assert ended(http, accepted.json()["id"])["status"] == "succeeded"


def b64(content: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(content).decode()}


def pixels(content: bytes) -> "np.ndarray[Any, Any]":
    """The pixels [3, H, W] of a picture that has the model's size."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).transpose(2, 0, 1)


@pytest.fixture(scope="module")
def pets(http: httpx.Client) -> str:
    """The path of the predictions of a model of one image."""
    made = http.put("/v1/datasets/pets-8", content=zip_of(FILES), headers={"Content-Type": "application/zip"})
    assert made.status_code == 201, made.text
    data = {
        "kind": "dataset",
        "dataset": "pets-8",
        "target": "label",
        "features": {"image": {"type": "image", "size": 8}},
    }
    train(http, model_name="pets", data=data, model=LAYERS, training=SHORT)
    return "/v1/models/pets/predictions"


@pytest.fixture(scope="module")
def mixed(http: httpx.Client) -> str:
    """The path of the predictions of a model of an image and a number."""
    rows = "".join(f"{at}.png,{at / 10},{at * 1.5}\n" for at in range(12))
    files = {"metadata.csv": "file_name,age,score\n" + rows} | {f"{at}.png": picture(at) for at in range(12)}
    made = http.put("/v1/datasets/mixed-8", content=zip_of(files), headers={"Content-Type": "application/zip"})
    assert made.status_code == 201, made.text
    features = {"image": {"type": "image", "size": 8}, "age": {"type": "number"}}
    data = {"kind": "dataset", "dataset": "mixed-8", "target": "score", "features": features}
    train(http, model_name="mixed", data=data, model={"kind": "fusion"}, training=SHORT)
    return "/v1/models/mixed/predictions"


def answers(response: httpx.Response) -> list[Any]:
    assert response.status_code == 200, response.text
    found: list[Any] = response.json()["predictions"]
    return found


def post(http: httpx.Client, path: str, content: bytes, media_type: str) -> httpx.Response:
    return http.post(path, content=content, headers={"Content-Type": media_type})


def close(one: list[Any], other: list[Any]) -> bool:
    """Whether two lists of classes with probabilities are the same."""
    return [each["label"] for each in one] == [each["label"] for each in other] and np.allclose(
        [[*each["probabilities"].values()] for each in one], [[*each["probabilities"].values()] for each in other]
    )


def npy(array: "np.ndarray[Any, Any]") -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def table(write: str, column: pl.Series, **options: Any) -> bytes:
    file = io.BytesIO()
    getattr(pl.DataFrame([column]), write)(file, **options)
    return file.getvalue()


def tensor(datatype: str, shape: list[int], data: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "image", "datatype": datatype, "shape": shape, "data": data}]}


URL = f"data:image/png;base64,{b64(PNG)['b64']}"
STRUCT = pl.Series("image", [{"bytes": PNG, "path": "a.png"}] * 2)
FORMS: dict[str, Callable[[], tuple[bytes, str]]] = {
    "objects": lambda: (orjson.dumps({"instances": [{"image": b64(PNG)}] * 2}), JSON),
    "lists": lambda: (orjson.dumps({"instances": [[b64(PNG)]] * 2}), JSON),
    "bare": lambda: (orjson.dumps({"instances": [b64(PNG)] * 2}), JSON),
    "data URL": lambda: (orjson.dumps({"instances": [{"image": URL}] * 2}), JSON),
    "columns": lambda: (orjson.dumps({"inputs": {"image": [b64(PNG)] * 2}}), JSON),
    "pixels": lambda: (orjson.dumps({"instances": [pixels(PNG).tolist()] * 2}), JSON),
    "channels last": lambda: (
        orjson.dumps({"instances": [{"image": pixels(PNG).transpose(1, 2, 0).tolist()}] * 2}),
        JSON,
    ),
    "both kinds": lambda: (orjson.dumps({"instances": [b64(PNG), {"image": pixels(PNG).tolist()}]}), JSON),
    "lines": lambda: (orjson.dumps({"image": b64(PNG)}) + b"\n" + orjson.dumps([b64(PNG)]), "application/x-ndjson"),
    "npy": lambda: (npy(np.stack([pixels(PNG)] * 2)), "application/x-npy"),
    "npy, channels last": lambda: (npy(np.stack([pixels(PNG)] * 2).transpose(0, 2, 3, 1)), "application/x-npy"),
    "npy of floats": lambda: (npy(np.stack([pixels(PNG)] * 2).astype(float)), "application/x-npy"),
    "parquet": lambda: (table("write_parquet", pl.Series("image", [PNG] * 2)), "application/vnd.apache.parquet"),
    "parquet of objects": lambda: (table("write_parquet", STRUCT), "application/vnd.apache.parquet"),
    "arrow stream": lambda: (
        table("write_ipc_stream", pl.Series("image", [PNG] * 2)),
        "application/vnd.apache.arrow.stream",
    ),
    "arrow file of objects": lambda: (table("write_ipc", STRUCT), "application/vnd.apache.arrow.file"),
    "csv": lambda: (f'image\n"{URL}"\n"{URL}"\n'.encode(), "text/csv"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same(http: httpx.Client, pets: str, form: str) -> None:
    one = answers(post(http, pets, PNG, "image/png"))
    assert len(one) == 1 and len(one[0]["probabilities"]) == CLASSES
    content, media_type = FORMS[form]()
    found = http.post(pets, content=content, headers={"Content-Type": media_type, "Accept": JSON})
    assert close(answers(found), one * 2)


def test_a_body_is_one_image_and_its_bytes_say_of_which_format(http: httpx.Client, pets: str) -> None:
    wanted = answers(post(http, pets, PNG, "image/png"))
    for media_type in ("image/png", "image/jpeg", "image/webp", "IMAGE/GIF; x=1"):
        assert close(answers(post(http, pets, PNG, media_type)), wanted)
    other = answers(post(http, pets, JPEG, "image/jpeg"))  # of another size
    assert not close(other, wanted)
    assert close(answers(http.post(pets, json={"instances": [b64(JPEG), b64(PNG)]})), [*other, *wanted])
    missing = answers(http.post(pets, json={"instances": [{"image": None}]}))
    assert close(missing, answers(http.post(pets, json={"instances": [np.zeros((3, *SIZE), int).tolist()]})))


def test_forms(http: httpx.Client, pets: str, mixed: str) -> None:
    wanted = answers(http.post(pets, json={"instances": [b64(PNG), b64(JPEG)]}))
    files: Any = [("image", ("a.png", PNG)), ("image", ("b", JPEG, "image/png"))]
    assert close(answers(http.post(pets, files=files)), wanted)
    together = answers(http.post(mixed, json={"instances": [[b64(PNG), 0.5], {"age": None, "image": b64(JPEG)}]}))
    assert np.allclose(answers(http.post(mixed, files=files, data={"age": ["0.5", ""]})), together, atol=1e-6)
    columns = {"inputs": {"image": [b64(PNG), b64(JPEG)], "age": [0.5, None]}}
    assert np.allclose(answers(http.post(mixed, json=columns)), together, atol=1e-6)


@pytest.mark.parametrize(
    ("files", "status", "what"),
    [
        ([("image", ("a.png", PNG[:50]))], 422, "/image/0: the image cannot be read: it is truncated"),
        ([("image", ("a.png", b""))], 422, "/image/0: the image cannot be read: it is empty"),
        ([("photo", ("a.png", PNG))], 422, "/photo: is no input of this model"),
        ([("image", ("a.png", PNG)), ("score", (None, "1")), ("score", (None, "1"))], 200, ""),
        ([("image", (None, "x"))] * 1001, 422, "/image: one part too many: at most 1000"),
        ([("image", ("a.png", PNG)), ("other", (None, "x"))], 422, "/other: is no input"),
    ],
)
def test_wrong_forms(http: httpx.Client, pets: str, files: Any, status: int, what: str) -> None:
    if status == 200:
        files = [(name if name == "image" else "label", each) for name, each in files]  # the target, which is ignored
    refused = http.post(pets, files=files)
    assert (refused.status_code, what in refused.text.replace("\\", "")) == (status, True), refused.text


@pytest.mark.parametrize(
    ("content_type", "body", "status", "what"),
    [
        ("multipart/form-data", b"x", 400, "boundary"),
        ("multipart/form-data; boundary=a", b"x", 400, "the form cannot be read"),
        ("multipart/form-data; boundary=a", b"--a--\r\n", 422, "the form has no parts"),
        (
            "multipart/form-data; boundary=a",
            b'--a\r\nContent-Disposition: form-data; name="image"\r\n\r\nx',
            400,
            "cut short",
        ),
        ("image/tiff", PNG, 415, "image/png"),
        ("text/plain; charset=latin-1", b"x", 415, ""),
        ("application/octet-stream", PNG, 415, "multipart/form-data"),
    ],
)
def test_wrong_bodies(http: httpx.Client, pets: str, content_type: str, body: bytes, status: int, what: str) -> None:
    refused = post(http, pets, body, content_type)
    assert (refused.status_code, what in refused.text) == (status, True), refused.text


def test_a_body_of_one_image_needs_a_model_of_one_image(http: httpx.Client, mixed: str, line: dict[str, Any]) -> None:
    refused = post(http, mixed, PNG, "image/png")
    assert refused.status_code == 415
    assert "this model takes image (image), age (number): send application/json or multipart/form-data" in refused.text
    refused = post(http, "/v1/models/line/predictions", PNG, "image/png")
    assert (refused.status_code, "this model takes x (number)" in refused.text) == (415, True)
    assert http.post("/v1/models/line/predictions", files={"x": (None, "0.5")}).status_code == 200
    refused = http.get(mixed, params={"image": "a", "age": 1})
    assert (refused.status_code, "send it by POST" in refused.text) == (422, True)


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG file of some kilobytes whose header says that it has this size."""
    made = bytearray(PNG)
    made[16:24] = width.to_bytes(4) + height.to_bytes(4)
    made[29:33] = zlib.crc32(made[12:29]).to_bytes(4)
    return bytes(made)


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "pixel bomb": (lambda: bomb(2**31 - 1, 2**31 - 1), "pixels, and at most 64,000,000 are read"),
    "truncated": (lambda: picture(1, "JPEG", (64, 64))[:500], "it is truncated"),
    "SVG": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>', "it is SVG"),
    "TIFF": (lambda: saved(Image.new("RGB", (4, 4)), "TIFF"), "it is TIFF"),
    "page": (lambda: b"<html><script>alert(1)</script>", "PNG, JPEG, WebP and GIF are read"),
    "random": (lambda: np.random.default_rng(0).bytes(1000), "PNG, JPEG, WebP and GIF are read"),
    "empty": (lambda: b"", "it is empty"),
    "header alone": (lambda: PNG[:33], "cannot be read"),
    "pickle": (lambda: b"\x80\x04\x95" + bytes(100), "PNG, JPEG, WebP and GIF are read"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_images_are_refused(http: httpx.Client, pets: str, name: str) -> None:
    made, reason = HOSTILE[name]
    refused = post(http, pets, made(), "image/png")
    assert (refused.status_code, reason in refused.text) == (422, True), refused.text
    refused = http.post(pets, json={"instances": [b64(PNG), {"image": b64(made())}]})
    assert refused.status_code == 422
    [error] = refused.json()["errors"]
    assert error["pointer"] == "/instances/1/image" and reason in error["message"]
    assert len(answers(post(http, pets, PNG, "image/png"))) == 1


@pytest.mark.parametrize(
    "made",
    [
        lambda: saved(Image.new("CMYK", (9, 9)), "JPEG"),
        lambda: saved(Image.new("I;16", (9, 9)), "PNG"),
        lambda: saved(Image.new("RGB", (1, 1)), "PNG"),
        lambda: saved(Image.new("L", (1, 60_000)), "PNG"),
        lambda: saved(Image.new("P", (9, 9)), "PNG", transparency=0),
        lambda: picture(1, "GIF", frames=50),
        lambda: PNG + b"PK\x03\x04<?php system('id'); ?>",  # a polyglot file: what follows the image is never read
    ],
    ids=["CMYK", "16 bits", "one pixel", "1 x 60,000", "palette with alpha", "animated", "polyglot"],
)
def test_unusual_images_are_read(http: httpx.Client, pets: str, made: Callable[[], bytes]) -> None:
    assert len(answers(post(http, pets, made(), "image/png"))) == 1


WRONG: dict[str, tuple[Any, str, str]] = {
    "not base64": ({"image": {"b64": "ab=c"}}, "/instances/0/image", "no base64"),
    "spaces": ({"image": {"b64": "aGk =\n"}}, "/instances/0/image", "no base64"),
    "b64 of a number": ({"image": {"b64": 3}}, "/instances/0/image", "no base64"),
    "no data URL": ({"image": "photo.jpg"}, "/instances/0/image", "expected"),
    "an address": ({"image": "http://127.0.0.1/a.png"}, "/instances/0/image", "a data: URL"),
    "URL without base64": ({"image": "data:image/svg+xml,%3Csvg"}, "/instances/0/image", "no base64"),
    "another key": ({"image": {"url": "x"}}, "/instances/0/image", "expected"),
    "a number": (7, "/instances/0", "expected"),
    "too few pixels": ([[[0]]], "/instances/0", "has the shape [1, 1, 1]; [3, 8, 8] is expected"),
    "ragged": ([[[0, 1], [0]]], "/instances/0", "different lengths"),
    "texts": ([[["a"]]], "/instances/0", "something else than numbers"),
    "negative": (np.full((3, 8, 8), -1).tolist(), "/instances/0", "0 to 255"),
    "fractions": (np.full((3, 8, 8), 0.5).tolist(), "/instances/0", "0 to 255"),
    "null within": ([[[None]]], "/instances/0", "something else than numbers"),
    "two values": ([{"b64": ""}, {"b64": ""}], "/instances/0", "something else than numbers"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_values_name_their_place(http: httpx.Client, pets: str, name: str) -> None:
    instance, pointer, reason = WRONG[name]
    refused = http.post(pets, json={"instances": [instance]})
    assert refused.status_code == 422, refused.text
    error = refused.json()["errors"][0]
    assert (error["pointer"], reason in error["message"]) == (pointer, True), error


def test_many_rows_are_refused_before_memory_is_taken(http: httpx.Client, pets: str) -> None:
    rows = 256 * 2**20 // (3 * 8 * 8) + 1
    assert rows > 1_000_000  # so that this is the limit on rows
    refused = post(http, pets, b'{"inputs":{"image":[' + b"null," * 1_000_000 + b"null]}}", JSON)
    assert (refused.status_code, "too many" in refused.text) == (422, True)
    large = saved(Image.new("L", (8000, 8000)), "PNG", compress_level=9)
    refused = http.post(pets, json={"instances": [b64(large)] * 3})
    assert (refused.status_code, "pixels of memory together; at most 256,000,000" in refused.text) == (422, True)


def test_an_invalid_request_fails_no_other(http: httpx.Client, pets: str) -> None:
    wanted = answers(post(http, pets, PNG, "image/png"))

    def ask(good: bool) -> httpx.Response:
        return post(http, pets, PNG if good else PNG[:40], "image/png")

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(ask, [True, False, True] * 8))
    assert [each.status_code for each in found] == [200, 422, 200] * 8
    assert all(close(answers(each), wanted) for each in found if each.status_code == 200)


def test_open_inference(http: httpx.Client, pets: str, mixed: str) -> None:
    wanted = [
        [*each["probabilities"].values()] for each in answers(http.post(pets, json={"instances": [b64(PNG)] * 2}))
    ]
    about = http.get("/v2/models/pets").json()["inputs"]
    assert about == [{"name": "image", "datatype": "BYTES", "shape": [-1]}]
    as_text = b64(PNG)["b64"]
    array = np.stack([pixels(PNG)] * 2)
    for sent in (
        tensor("BYTES", [2], [as_text] * 2),
        tensor("BYTES", [2, 1], [[as_text]] * 2),
        tensor("UINT8", [2, 3, 8, 8], array.tolist()),
        tensor("UINT8", [2, 8, 8, 3], array.transpose(0, 2, 3, 1).reshape(-1).tolist()),
        tensor("FP32", [2, 3, 8, 8], array.tolist()),
    ):
        answer = http.post("/v2/models/pets/infer", json=sent)
        assert answer.status_code == 200, answer.text
        assert np.allclose(answer.json()["outputs"][1]["data"], np.ravel(wanted), atol=1e-6)
    for datatype, shape, body in (
        ("BYTES", [2], (len(PNG).to_bytes(4, "little") + PNG) * 2),
        ("UINT8", [2, 3, 8, 8], array.tobytes()),
    ):
        about = {"name": "image", "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(body)}}
        head = orjson.dumps({"inputs": [about]})
        length = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}
        answer = http.post("/v2/models/pets/infer", content=head + body, headers=length)
        assert answer.status_code == 200, answer.text
        assert np.allclose(answer.json()["outputs"][1]["data"], np.ravel(wanted), atol=1e-6)
    both = (
        {**tensor("BYTES", [1], [as_text])["inputs"][0]},
        {"name": "age", "datatype": "FP32", "shape": [1, 1], "data": [1]},
    )
    answer = http.post("/v2/models/mixed/infer", json={"inputs": list(both)})
    assert answer.status_code == 200, answer.text
    for sent, reason in (
        (tensor("UINT8", [1, 3, 8, 7], [0] * 168), "has the shape [3, 8, 7]; [3, 8, 8] is expected"),
        (tensor("BYTES", [1], ["!"]), "no base64"),
        (tensor("BYTES", [1, 2], ["", ""]), "has the shape [1, 2]"),
        (tensor("FP32", [1], [1.0]), "has the shape [1]"),
    ):
        refused = http.post("/v2/models/pets/infer", json=sent)
        assert (refused.status_code, reason in refused.text) == (400, True), refused.text


def test_tensorflow_serving(http: httpx.Client, pets: str) -> None:
    wanted = http.post(pets, json={"instances": [b64(PNG), b64(JPEG)]}).json()["predictions"]
    for sent in (
        {"instances": [b64(PNG), b64(JPEG)]},
        {"instances": [{"image": b64(PNG)}, {"image": [b64(JPEG)]}], "signature_name": "serving_default"},
        {"inputs": [b64(PNG), b64(JPEG)]},
        {"inputs": {"image": [b64(PNG), b64(JPEG)]}},
    ):
        answer = http.post("/v1/models/pets:predict", json=sent)
        assert answer.status_code == 200, answer.text
        found = answer.json()["predictions"]
        assert [each["label"] for each in found] == [each["label"] for each in wanted]
    described = http.get("/v1/models/pets/metadata").json()["metadata"]["signature_def"]["signature_def"]
    assert described["serving_default"]["inputs"]["image"]["dtype"] == "DT_STRING"


def test_sagemaker_takes_the_same_bodies() -> None:
    assert SAGEMAKER.decoder({b"content-type": b"image/png"}) is one_value.decoder("image/png")
    form = SAGEMAKER.decoder({b"content-type": b"multipart/form-data; boundary=a"})
    assert form.decode(b'--a\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n--a--') == {"x": [b"1"]}


def test_a_bundle_with_images_is_imported(http: httpx.Client, pets: str) -> None:
    bundle = http.get("/v1/models/pets/versions/1/bundle")
    made = post(http, "/v1/models/pets-again/versions", bundle.content, "application/zip")
    assert made.status_code == 201, made.text
    again = answers(post(http, "/v1/models/pets-again/predictions", PNG, "image/png"))
    assert close(again, answers(post(http, pets, PNG, "image/png")))
