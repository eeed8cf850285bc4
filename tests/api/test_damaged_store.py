"""One file of the store is damaged: its model or data set is shown as damaged and can be repaired; everything else
works."""

import errno
import io
import json
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from model_store import Store
from service.api.problems import answer_to
from tests.api.conftest import train
from tests.harness.server import Server
from tests.model_store.content import content

ZIP = {"Content-Type": "application/zip"}


@pytest.fixture
def folder(server: Server, model: str, http: httpx.Client) -> Path:
    """The folder of a model with versions 1 and 2, `production` on 2 and `staging` on 1."""
    train(http, model, training={"epochs": 0, "seed": 7})
    for alias, version in (("production", 1), ("production", 2), ("staging", 1)):
        http.put(f"/v1/models/{model}/aliases/{alias}", json={"version": version})
    return server.home / "store/models" / model


def flip(path: Path, text: bytes) -> None:
    """Flips one bit of a number behind `text`."""
    data = bytearray(path.read_bytes())
    data[data.index(text) + len(text)] ^= 1
    path.write_bytes(data)


def manifest_of(http: httpx.Client, folder: Path, version: int) -> Path:
    digest = http.get(f"/v1/models/{folder.name}/versions/{version}").json()["digest"]
    record = next(path for path in (folder / "versions").iterdir() if digest in path.read_text())
    return folder / "contents" / str(json.loads(record.read_bytes())["content"]) / "manifest.json"


def listed(http: httpx.Client, name: str) -> dict[str, Any]:
    models = http.get("/v1/models", params={"limit": 1000})
    assert models.status_code == 200, models.text
    return next(each for each in models.json()["data"] if each["name"] == name)


def test_a_damaged_alias_is_reported_and_can_be_set_again(http: httpx.Client, folder: Path) -> None:
    name = folder.name
    flip(folder / "aliases/production/2", b'"version": ')
    one = http.get(f"/v1/models/{name}/aliases/production")
    assert (one.status_code, one.json()["code"]) == (503, "version_corrupt")
    shown = listed(http, name)
    assert shown["aliases"] == {"production": None, "staging": 1}
    assert shown["error"]["code"] == "version_corrupt" and "production" in shown["error"]["detail"]
    assert http.get(f"/v1/models/{name}").json()["aliases"] == shown["aliases"]
    versions = http.get(f"/v1/models/{name}/versions").json()["data"]
    assert [each["aliases"] for each in versions] == [[], ["staging"]]
    aliases = http.get(f"/v1/models/{name}/aliases").json()["data"]
    assert [(each["alias"], each["version"], each["error"] is None) for each in aliases] == [
        ("production", None, False),
        ("staging", 1, True),
    ]
    history = http.get(f"/v1/models/{name}/aliases/production/history").json()["data"]
    assert [(each["version"], each["error"] is None) for each in history] == [(1, True), (None, False)]
    again = http.put(f"/v1/models/{name}/aliases/production", json={"version": 2})
    assert (again.status_code, again.json()["entry"]) == (200, 3)
    assert listed(http, name)["error"] is None


def test_a_damaged_version_can_be_imported_again_and_deleted(http: httpx.Client, folder: Path) -> None:
    path = f"/v1/models/{folder.name}/versions"
    bundle, digest = http.get(f"{path}/1/bundle").content, http.get(f"{path}/1").json()["digest"]
    manifest = manifest_of(http, folder, 1)
    flip(manifest, b'"bias":0.')
    assert http.get(f"{path}/1").json()["code"] == "version_corrupt"
    damaged = http.get(path).json()["data"][1]
    assert (damaged["version"], damaged["aliases"]) == (1, ["staging"])
    assert damaged["error"]["code"] == "version_corrupt"
    taken = http.post(path, content=bundle, headers=ZIP)
    assert (taken.status_code, taken.json()["version"], taken.json()["digest"]) == (201, 3, digest)
    assert http.post(path, content=bundle, headers=ZIP).status_code == 200
    assert http.delete(f"{path}/1").json()["code"] == "version_in_use"
    http.put(f"/v1/models/{folder.name}/aliases/staging", json={"version": 3})
    assert http.delete(f"{path}/1").status_code == 204
    assert [each["version"] for each in http.get(path).json()["data"]] == [3, 2]
    lines = http.get("/v1/audit", params={"limit": 1000}).json()["data"]
    changes = [change for line in lines for change in line["changes"]]
    assert {"what": "version.deleted", "on": f"{folder.name}/1", "from": digest, "to": None} in changes


def test_four_parallel_imports_of_a_bundle_make_one_version(http: httpx.Client, folder: Path) -> None:
    bundle = http.get(f"/v1/models/{folder.name}/versions/1/bundle").content
    with ThreadPoolExecutor(4) as threads:
        path = f"/v1/models/{folder.name}-copy/versions"
        taken = list(threads.map(lambda _: http.post(path, content=bundle, headers=ZIP), range(4)))
    assert sorted(each.status_code for each in taken) == [200, 200, 200, 201]
    assert {each.json()["version"] for each in taken} == {1}
    assert [each["version"] for each in http.get(path).json()["data"]] == [1]


def upload(http: httpx.Client, name: str) -> httpx.Response:
    return http.put(f"/v1/datasets/{name}", content=b"x,y\n1,2\n2,4\n", headers={"Content-Type": "text/csv"})


def test_four_parallel_uploads_of_a_file_make_one_version(http: httpx.Client) -> None:
    with ThreadPoolExecutor(4) as threads:
        sent = list(threads.map(lambda _: upload(http, "at-once"), range(4)))
    assert sorted(each.status_code for each in sent) == [200, 200, 200, 201]
    assert [each["version"] for each in http.get("/v1/datasets/at-once/versions").json()["data"]] == [1]


def test_a_file_can_be_uploaded_beside_a_damaged_one(http: httpx.Client, server: Server) -> None:
    assert upload(http, "damaged").status_code == 201
    manifest = next((server.home / "store/datasets/damaged/contents").glob("*/manifest.json"))
    whole = manifest.read_bytes()
    flip(manifest, b'"bytes":')
    answer = upload(http, "damaged")
    manifest.write_bytes(whole)
    assert (answer.status_code, answer.json()["version"]) == (201, 2)


def test_unknown_files_in_a_store_folder_are_ignored(http: httpx.Client, folder: Path) -> None:
    (folder / "versions/3.bak").touch()
    (folder / "aliases/production/2~").touch()
    assert http.get(f"/v1/models/{folder.name}").json()["latest"] == 2
    assert listed(http, folder.name)["aliases"] == {"production": 2, "staging": 1}
    assert http.get(f"/v1/models/{folder.name}/predictions?x=1").headers["Model-Version"] == "2"
    assert train(http, folder.name, training={"epochs": 0})["result"]["version"] == 3


def newer(bundle: bytes) -> bytes:
    """The bundle as a later Modelwright might write it."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive, zipfile.ZipFile(target, "w") as later:
        for member in archive.namelist():
            data = archive.read(member)
            later.writestr(member, data.replace(b'"format":1', b'"format":2') if member == "manifest.json" else data)
    return target.getvalue()


def test_a_bundle_of_a_newer_version_is_refused_as_such(
    http: httpx.Client, server: Server, folder: Path, tmp_path: Path
) -> None:
    path = f"/v1/models/{folder.name}/versions"
    bundle = newer(http.get(f"{path}/1/bundle").content)
    refused = http.post(path, content=bundle, headers=ZIP)
    assert (refused.status_code, refused.json()["code"]) == (422, "made_by_newer")
    assert "newer Modelwright" in refused.json()["detail"]
    store = Store.open(server.home / "store")
    version = store.models.get(folder.name, 1)
    files = {}
    for file in version.manifest["files"]:
        files[file] = tmp_path / file.replace("/", "-")
        files[file].write_bytes(content(store.models, version, file))
    store.models.publish(folder.name, {**version.manifest, "format": 2}, files)
    for url in (f"{path}/3", f"{path}/3/predictions?x=1", f"{path}/3/bundle"):
        answer = http.get(url)
        assert (answer.status_code, answer.json()["code"]) == (503, "made_by_newer")
    assert listed(http, folder.name)["error"]["code"] == "made_by_newer"
    assert http.delete(f"{path}/3").status_code == 204


def test_a_damaged_data_set_is_reported_and_lists_still_work(http: httpx.Client, server: Server, csv: Path) -> None:
    name = "damaged-table"
    for body in (csv.read_bytes(), csv.read_bytes() + b"1,1,1\n"):
        assert http.put(f"/v1/datasets/{name}", content=body).status_code == 201
    folder = server.home / "store/datasets" / name
    digest = http.get(f"/v1/datasets/{name}").json()["digest"]
    manifest = next(each for each in folder.glob("contents/*/manifest.json") if digest in each.read_text())
    flip(manifest, b'"rows":')
    datasets = http.get("/v1/datasets", params={"limit": 1000})
    assert datasets.status_code == 200, datasets.text
    shown = next(each for each in datasets.json()["data"] if each["name"] == name)
    assert (shown["rows"], shown["error"]["code"]) == (None, "version_corrupt")
    versions = http.get(f"/v1/datasets/{name}/versions").json()["data"]
    assert [(each["version"], each["error"] is None) for each in versions] == [(2, False), (1, True)]
    assert http.put(f"/v1/datasets/{name}", content=csv.read_bytes()).status_code == 201
    assert http.get(f"/v1/datasets/{name}").json()["error"] is None
    assert http.delete(f"/v1/datasets/{name}").status_code == 204


@pytest.mark.parametrize(
    ("number", "status", "code"), [(errno.EIO, 503, "unavailable"), (errno.ENOSPC, 507, "no_space")]
)
def test_an_unexpected_disk_error_is_not_an_internal_error(number: int, status: int, code: str) -> None:
    answer = answer_to(OSError(number, os.strerror(number), "/some/where"))
    assert (answer.status_code, json.loads(bytes(answer.body))["code"]) == (status, code)
    assert b"/some/where" not in answer.body
