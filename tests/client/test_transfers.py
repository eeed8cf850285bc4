"""Push and pull against the service itself, through connections that break."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from modelwright import ApiError, AsyncClient, Client, TransferFailed, Unreachable
from tests.api.conftest import LINE, train
from tests.harness.cutting_proxy import CuttingProxy
from tests.harness.server import Server

CUTS = 5
WIDE = {"kind": "mlp", "hidden": [2000, 2000]}


def client(url: str) -> Client:
    return Client(url, transport=httpx.HTTPTransport())


@pytest.fixture(scope="module")
def wide(server: Server) -> dict[str, Any]:
    """A version of 16 MB."""
    with server.http_client() as http:
        train(http, "wide", model=WIDE, training={"epochs": 0})
        manifest: dict[str, Any] = http.get("/v1/models/wide/versions/1").json()
    return manifest


def test_a_push_that_is_cut_five_times_arrives_whole(server: Server, wide: dict[str, Any]) -> None:
    size = int(server.http.head("/v1/models/wide/versions/1/bundle").headers["Content-Length"])
    seen: list[tuple[str, int, int]] = []
    with CuttingProxy(server.url, up=[size // 6] * CUTS) as proxy:
        with client(server.url) as here, client(proxy.url) as there:
            pushed = here.push(
                there, "wide", 1, as_name="wide-pushed", alias="blue", progress=lambda *each: seen.append(each)
            )
        assert proxy.cuts_left == 0
        assert proxy.bytes["up"] <= 1.1 * size
    assert pushed == {"name": "wide-pushed", "version": 1, "digest": wide["digest"], "new": True}
    assert server.client.aliases("wide-pushed")[0]["version"] == 1
    assert server.http.get("/v1/models/wide-pushed/versions/1").json()["digest"] == wide["digest"]
    assert {("download", size, size), ("upload", size, size)} <= set(seen)
    assert not list((server.home / "uploads").glob("?*[0-9a-f]"))


def test_a_pull_that_is_cut_five_times_arrives_whole(server: Server, wide: dict[str, Any]) -> None:
    size = int(server.http.head("/v1/models/wide/versions/1/bundle").headers["Content-Length"])

    async def pull(proxy: CuttingProxy) -> Any:
        async with AsyncClient(server.url) as here, AsyncClient(proxy.url) as there:
            return await here.pull(there, "wide", "latest", as_name="wide-pulled", alias="blue")

    with CuttingProxy(server.url, down=[size // 6] * CUTS) as proxy:
        pulled = asyncio.run(pull(proxy))
        assert proxy.cuts_left == 0
        assert proxy.bytes["down"] <= 1.1 * size
    assert pulled == {"name": "wide-pulled", "version": 1, "digest": wide["digest"], "new": True}


def test_what_is_there_already_is_not_sent(server: Server, wide: dict[str, Any]) -> None:
    with client(server.url) as here, CuttingProxy(server.url) as proxy, client(proxy.url) as there:
        copied = here.push(there, "wide", as_name="wide", alias="green")
        assert copied == {"name": "wide", "version": 1, "digest": wide["digest"], "new": False}
        assert here.aliases("wide")[0]["alias"] == "green"
        assert proxy.bytes["up"] < 5000 and proxy.bytes["down"] < 20_000


def test_an_alias_that_moves_meanwhile_is_left(server: Server, wide: dict[str, Any]) -> None:
    with server.http_client() as http:
        train(http, "moved", training={"epochs": 0})

    def move(stage: str, done: int, size: int) -> None:
        if stage == "download" and done == size:
            server.client.set_alias("moved", "blue", 1)

    with client(server.url) as here, pytest.raises(TransferFailed, match="moved@2 is there, but blue was moved"):
        here.pull(server.client, "wide", as_name="moved", alias="blue", progress=move)
    assert [each["version"] for each in server.client.aliases("moved")] == [1]


def test_errors_of_either_side(server: Server, wide: dict[str, Any]) -> None:
    with client(server.url) as here:
        with pytest.raises(ApiError, match="no version"):
            here.push(server.client, "wide", 99)
        with pytest.raises(ApiError) as caught:
            here.push(server.client, "wide", as_name="Not A Name")
        assert caught.value.code == "invalid_name"
        with pytest.raises(Unreachable), client("http://127.0.0.1:1") as nobody:
            here.push(nobody, "wide")
        with pytest.raises(TypeError, match="of one kind"):
            here.push(AsyncClient(server.url), "wide")


def test_the_calls_of_an_upload(server: Server, tmp_path: Path) -> None:
    with server.http_client() as http:
        train(http, "small", **{**LINE, "training": {"epochs": 0}, "model_name": "small"})
    with client(server.url) as here:
        bundle = here.download_bundle("small", 1, tmp_path / "small.zip")
        size = bundle.stat().st_size
        upload = here.create_upload(size)["id"]
        with pytest.raises(ApiError) as caught:
            here.continue_upload(upload, bundle, 10)
        assert (caught.value.status, caught.value.code) == (409, "upload_conflict")
        assert here.continue_upload(upload, bundle, 0) == size == here.upload(upload)["offset"]
        assert here.import_upload("small-too", upload)["version"] == 1
        other = here.create_upload(10)["id"]
        here.delete_upload(other)
        with pytest.raises(ApiError, match="no such upload"):
            here.upload(other)
