"""A body that is one small image is answered in front of ASGI, as over it."""

import re
from collections.abc import Callable

import httpx
import pytest
from PIL import Image

from tests.api.raw_requests import OVER_ASGI, comparable, connected, headers_of, post_bytes, until_closed
from tests.api.test_image_predictions import FILES, JPEG, LAYERS, PNG, SHORT, SIZE, answers, bomb, post, saved, train
from tests.harness.pictures import picture, zip_of
from tests.harness.server import Server


@pytest.fixture(scope="module")
def pets(http: httpx.Client) -> str:
    """The path of the predictions of a model of one image."""
    made = http.put("/v1/datasets/small-pets", content=zip_of(FILES), headers={"Content-Type": "application/zip"})
    assert made.status_code == 201, made.text
    features = {"image": {"type": "image", "size": SIZE[0]}}
    data = {"kind": "dataset", "dataset": "small-pets", "target": "label", "features": features}
    train(http, model_name="small-pets", data=data, model=LAYERS, training=SHORT)
    return "/v1/models/small-pets/predictions"


SMALL_BODIES: dict[str, Callable[[], tuple[bytes, dict[str, str]]]] = {
    "PNG": lambda: (PNG, {}),
    "JPEG": lambda: (JPEG, {}),
    "CSV": lambda: (JPEG, {"Accept": "text/csv"}),
    "in time": lambda: (JPEG, {"Request-Timeout": "60"}),
    "too late": lambda: (JPEG, {"Request-Timeout": "0"}),
    "not acceptable": lambda: (JPEG, {"Accept": "image/png"}),
    "truncated": lambda: (picture(1, "JPEG", (64, 64))[:500], {}),
    "pixels that are cut short": lambda: (picture(1, size=(64, 64))[:-30], {}),
    "pixel bomb": lambda: (bomb(2**31 - 1, 2**31 - 1), {}),
    "many pixels": lambda: (saved(Image.new("L", (2000, 2000)), "PNG"), {}),
    "empty": lambda: (b"", {}),
}


@pytest.mark.parametrize("name", SMALL_BODIES)
def test_a_small_image_is_answered_as_over_asgi(http: httpx.Client, pets: str, name: str) -> None:
    body, headers = SMALL_BODIES[name]()
    direct = http.post(pets, content=body, headers={"Content-Type": "image/png", **headers})
    over_asgi = http.post(pets, content=body, headers={"Content-Type": "image/png", **headers, **OVER_ASGI})
    assert direct.status_code == over_asgi.status_code
    assert comparable(direct) == comparable(over_asgi)
    assert dict(headers_of(direct)) == dict(headers_of(over_asgi))


def test_images_on_one_connection_are_answered_in_their_order(server: Server, http: httpx.Client, pets: str) -> None:
    files = [picture(each, size=SIZE) for each in range(12)]
    wanted = [http.post(pets, content=each, headers={"Content-Type": "image/png"}).content for each in files]
    broken, typed = PNG[:40], "Content-Type: image/png"
    requests = [post_bytes(each, typed, path=pets) for each in [*files[:6], broken, *files[6:]]]
    with connected(server) as connection:
        connection.sendall(b"".join(requests))
        connection.sendall(post_bytes(PNG, typed, "Connection: close", path=pets))
        found = until_closed(connection)
    assert re.findall(rb"HTTP/1.1 (\d{3})", found) == [b"200"] * 6 + [b"422"] + [b"200"] * 7
    bodies = re.findall(rb'\{"model_name".*?\]\}', found)
    assert bodies[:12] == wanted and len(bodies) == 13


def test_a_client_that_leaves_before_the_answer_to_its_image_affects_no_other(
    server: Server, http: httpx.Client, pets: str
) -> None:
    for _ in range(5):
        with connected(server) as connection:
            connection.sendall(post_bytes(PNG, "Content-Type: image/png", path=pets))
    assert len(answers(post(http, pets, PNG, "image/png"))) == 1
