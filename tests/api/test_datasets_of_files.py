"""Data sets of images over HTTP: uploads, broken files, rows, single files and small pictures, and clients that leave."""

import io
import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import polars as pl
import psutil
import pytest
from PIL import Image

from modelwright import ApiError, Client
from tests.api.conftest import train
from tests.harness.pictures import picture, zip_of
from tests.harness.server import Server
from tests.harness.until import until

ZIP = {"Content-Type": "application/zip"}
FILES: dict[str, bytes | str] = {
    f"{kind}/{each}.{suffix}": picture(each, form, size=(200, 100))
    for kind, suffix, form in (("cat", "png", "PNG"), ("dog", "jpg", "JPEG"))
    for each in range(3)
}
NAMES = sorted(FILES)


@pytest.fixture(scope="module")
def pets(http: httpx.Client) -> Iterator[str]:
    """The path of a data set of six images in two folders, compressed."""
    answer = http.put("/v1/datasets/pets", content=zip_of(FILES, zipfile.ZIP_DEFLATED), headers=ZIP)
    assert answer.status_code == 201, answer.text
    about = answer.json()
    assert (about["rows"], about["media_type"]) == (6, "application/zip")
    image, label = about["columns"]
    assert (image["name"], image["type"], image["feature"], image["distribution"]) == ("image", "image", True, None)
    assert label["distribution"]["values"] == ["cat", "dog"] and label["distinct"] == 2
    yield "/v1/datasets/pets"


def test_rows_and_files(http: httpx.Client, pets: str) -> None:
    rows = http.get(f"{pets}/rows", params={"limit": 4}).json()
    assert rows["has_more"] and [row["label"] for row in rows["data"]] == ["cat", "cat", "cat", "dog"]
    about = {"width": 200, "height": 100, "format": "jpeg", "bytes": len(FILES["dog/0.jpg"])}
    assert rows["data"][3]["image"] == {"file": "dog/0.jpg", "item": 3, **about}
    for at, name in enumerate(NAMES):
        answer = http.get(f"{pets}/items/{at}")
        assert (answer.status_code, answer.content) == (200, FILES[name])
        assert answer.headers["content-type"] == ("image/png" if name.endswith("png") else "image/jpeg")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "content-disposition" not in answer.headers
    assert http.get(f"{pets}/items/0", params={"column": "image", "version": 1}).content == FILES[NAMES[0]]
    again = http.get(f"{pets}/items/0", headers={"If-None-Match": http.get(f"{pets}/items/0").headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = http.head(f"{pets}/items/0")
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(FILES[NAMES[0]])))


def test_the_client(server: Server, pets: str, tmp_path: Path) -> None:
    with Client(server.url) as client:
        file = client.dataset_file("pets", 3)
        assert (file, file.media_type, file.suffix) == (FILES["dog/0.jpg"], "image/jpeg", ".jpeg")
        assert file.save(tmp_path / "dog").read_bytes() == FILES["dog/0.jpg"]
        assert client.dataset_file("pets", 3, version=1, thumbnail=True).media_type == "image/webp"
        (tmp_path / "broken.zip").write_bytes(zip_of(FILES | {"cat/9.png": b""}))
        with pytest.raises(ApiError, match="1 of 7 files is broken"):
            client.upload_dataset("client-broken", tmp_path / "broken.zip")
        assert client.upload_dataset("client-broken", tmp_path / "broken.zip", skip_broken=True).rows == 6
        np.savez(tmp_path / "arrays.npz", x=np.zeros((3, 2, 2)), y=np.array(["a", "b", "a"]))
        arrays = client.upload_dataset("client-arrays", tmp_path / "arrays.npz")
        assert (arrays.rows, arrays["media_type"]) == (3, "application/x-npz")
        assert client.dataset_rows("client-arrays")[1] == {"x": [[0, 0], [0, 0]], "y": "b"}


def test_small_pictures(http: httpx.Client, pets: str) -> None:
    column = http.get(pets).json()["columns"][0]
    assert column["statistics"]["thumbnails"] == [*range(6)]
    small = http.get(f"{pets}/items/4", params={"thumbnail": True})
    assert (small.status_code, small.headers["content-type"]) == (200, "image/webp")
    assert Image.open(io.BytesIO(small.content)).size == (96, 48)
    assert small.headers["etag"] != http.get(f"{pets}/items/4").headers["etag"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("pets/items/6", 404, "not_available"),
        ("pets/items/999999999", 404, "not_available"),
        ("pets/items/0?column=label", 404, "not_available"),
        ("pets/items/0?version=99", 404, "version_not_found"),
        ("pets/items/6?thumbnail=true", 404, "not_available"),
        ("no-pets/items/0", 404, "dataset_not_found"),
        ("pets/items/-1", 422, "invalid_request"),
        ("pets/items/x", 422, "invalid_request"),
    ],
)
def test_files_that_are_not_there(http: httpx.Client, pets: str, path: str, status: int, code: str) -> None:
    answer = http.get(f"/v1/datasets/{path}")
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


def test_a_table_has_no_files(http: httpx.Client) -> None:
    assert http.put("/v1/datasets/no-files", content=b"x,y\n1,2\n").status_code == 201
    answer = http.get("/v1/datasets/no-files/items/0")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_available")


def test_images_in_the_cells_of_a_table(server: Server, http: httpx.Client) -> None:
    file, path = io.BytesIO(), "/v1/datasets/cells"
    given = [b"\x89PNG", *(FILES[name] for name in NAMES), None]
    pl.DataFrame({"a": given, "b": [FILES[NAMES[0]], *reversed(given[1:])]}).write_parquet(file)
    about = http.put(path, content=file.getvalue(), params={"skip_broken": "true"}).json()
    assert [each["type"] for each in about["columns"]] == ["image", "image"] and about["rows"] == 7
    small = http.get(f"{path}/items/5", params={"thumbnail": True})
    assert (small.status_code, small.headers["content-type"]) == (200, "image/webp")
    for row, column, name in ((0, None, NAMES[0]), (5, "a", NAMES[5]), (1, "b", NAMES[5])):
        answer = http.get(f"{path}/items/{row}", params={} if column is None else {"column": column})
        assert (answer.status_code, answer.content) == (200, FILES[name])
        assert answer.headers["content-type"] == ("image/png" if name.endswith("png") else "image/jpeg")
    for query in ("6", "7", "0?column=c", "1?column=b&thumbnail=true"):
        answer = http.get(f"{path}/items/{query}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_available"), query
    until(lambda: server.temporary_files() == [])


def test_parts_of_a_stored_file(http: httpx.Client) -> None:
    assert http.put("/v1/datasets/stored", content=zip_of(FILES), headers=ZIP).status_code == 201
    whole = FILES[NAMES[1]]
    part = http.get("/v1/datasets/stored/items/1", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole)}"


def test_broken_files(server: Server, http: httpx.Client) -> None:
    """They are named with the reason; with `skip_broken` they are left out, also when the data set is read anew."""
    path, content = "/v1/datasets/broken", zip_of(FILES | {"cat/9.png": b"\x89PNG", "dog/9.jpg": "text"})
    refused = http.put(path, content=content, headers=ZIP)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_data")
    assert refused.json()["detail"].startswith("2 of 8 files are broken")
    assert [each["pointer"] for each in refused.json()["errors"]] == ["/cat~19.png", "/dog~19.jpg"]
    assert str(server.home) not in refused.text
    assert http.get(path).status_code == 404
    taken = http.put(path, content=content, headers=ZIP, params={"skip_broken": "true"})
    assert (taken.status_code, taken.json()["rows"]) == (201, 6)
    assert any("2 of 8 files" in note for note in taken.json()["notes"])
    assert http.get(f"{path}/items/5").content == FILES[NAMES[5]]
    again = http.patch(path, json={"types": {"label": "category"}})
    assert again.status_code in (200, 201) and again.json()["rows"] == 6
    bad = http.put(path, content=content, headers=ZIP, params={"skip_broken": "yes"})
    assert (bad.status_code, bad.json()["errors"][0]["pointer"]) == (422, "/skip_broken")
    until(lambda: server.temporary_files() == [])


def test_a_spec_without_a_target(http: httpx.Client, pets: str) -> None:
    assert http.put("/v1/datasets/no-target", content=b"x,y\n1,2\n3,4\n").status_code == 201
    spec = {"model_name": "no-target", "data": {"kind": "dataset", "dataset": "no-target"}}
    answer = http.post("/v1/training-jobs/validate", json=spec)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_spec")
    assert answer.json()["errors"][0]["pointer"] == "/data/target"


def test_a_training_without_a_target(http: httpx.Client) -> None:
    """Folders are the classes of a spec that names none."""
    files = {f"{each % 2}/{each}.png": picture(each, size=(8, 8)) for each in range(24)}
    assert http.put("/v1/datasets/digits-in-folders", content=zip_of(files), headers=ZIP).status_code == 201
    about = {"data": {"kind": "dataset", "dataset": "digits-in-folders"}, "loss": None, "training": {"epochs": 1}}
    layers = [{"name": "Flatten"}, {"name": "Linear"}]
    job = train(http, "digits-in-folders", model={"kind": "layers", "layers": layers}, **about)
    assert job["spec"]["data"]["target"] == "label"
    assert job["spec"]["data"]["features"]["image"]["size"] == [8, 8]


def test_the_check_ends_when_its_client_leaves(server: Server, http: httpx.Client) -> None:
    """These images take seconds to decode. The process that does is gone soon after the client, and so are its files."""
    file = io.BytesIO()
    Image.new("L", (7900, 7900)).save(file, "PNG", compress_level=1)
    content = zip_of({f"{kind}/{each:02}.png": file.getvalue() for kind in "ab" for each in range(20)})

    def surveys() -> list[psutil.Process]:
        found = psutil.Process(server.process.pid).children(recursive=True)
        return [each for each in found if any("data.survey" in word for word in _words(each))]

    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = "PUT /v1/datasets/left HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/zip\r\n"
        connection.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        until(surveys)
    until(lambda: not surveys())
    until(lambda: server.temporary_files() == [])
    assert http.get("/v1/datasets/left").status_code == 404


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
