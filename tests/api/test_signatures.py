"""A service that signs what it trains, and imports and serves only what its key has signed."""

import re
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from model_store import Store
from service.signatures.keys import create_key, read_public_key
from service.signatures.signatures import CHILD
from service.signatures.statement import verify
from tests.api.conftest import train
from tests.api.test_bundles import ZIP
from tests.harness.server import Server
from tests.harness.server import verify as verify_store

Change = Callable[[dict[str, bytes]], object]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The public key of the service."""
    return create_key(tmp_path_factory.mktemp("keys") / "own.pem")


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory, own: Path) -> Iterator[Server]:
    """A service with a signed version 1 of `first`."""
    home = tmp_path_factory.mktemp("signing") / "home"
    with Server(home, signing_key_file=own.with_name("own.pem"), require_signatures=own) as started:
        train(started.http, "first", training={"epochs": 0})
        yield started
    assert '"level":"error"' not in started.log()
    verify_store(home)


@pytest.fixture(scope="module")
def bundle(signing: Server) -> bytes:
    return signing.http.get("/v1/models/first/versions/1/bundle").raise_for_status().content


def children(server: Server) -> int:
    """How many processes for signatures the service has now."""
    return sum(CHILD in each.cmdline() for each in psutil.Process(server.process.pid).children())


def members(bundle: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(bundle)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(members: dict[str, bytes]) -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return target.getvalue()


def digests(version: dict[str, Any]) -> dict[str, str]:
    files = {f"files/{name}": each["sha256"] for name, each in version["files"].items()}
    return {"manifest.json": version["digest"], **files}


def refused(server: Server, bundle: bytes) -> str:
    answer = server.http.post("/v1/models/taken/versions", content=bundle, headers=ZIP)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_bundle"), answer.text
    assert server.http.get("/v1/models/taken").status_code == 404
    detail: str = answer.json()["detail"]
    return detail


def test_a_training_is_signed_and_its_signature_goes_with_it(signing: Server, own: Path, bundle: bytes) -> None:
    answer = signing.http.get("/v1/models/first/versions/latest/signature")
    assert answer.headers["Content-Type"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    verify(digests(signing.client.manifest("first", 1)), answer.content, [read_public_key(own)])
    assert members(bundle)["signature.json"] == answer.content == signing.client.signature("first", 1)
    taken = signing.http.post("/v1/models/again/versions", content=packed(members(bundle)), headers=ZIP)
    assert taken.status_code == 201
    assert signing.http.get("/v1/models/again/versions/1/bundle").content == bundle
    rows = {"instances": [[0.5]]}
    first, again = (signing.http.post(f"/v1/models/{name}/predictions", json=rows) for name in ("first", "again"))
    assert first.json()["predictions"] == again.json()["predictions"]
    assert children(signing) == 0
    missing = signing.http.get("/v1/models/absent/versions/1/signature")
    assert (missing.status_code, missing.json()["code"]) == (404, "model_not_found")


def _bit(member: str, position: int) -> Change:
    def change(members: dict[str, bytes]) -> None:
        data = bytearray(members[member])
        data[position] ^= 1
        members[member] = bytes(data)

    return change


CHANGES: list[tuple[Change, str]] = [
    (lambda members: members.pop("signature.json"), "'signature.json': .* it has no signature"),
    (_bit("files/state_dict.safetensors", -1), "'files/state_dict.safetensors': its SHA-256"),
    (_bit("manifest.json", 3), "'signature.json': .* it signs other files"),
]


@pytest.mark.parametrize(("change", "reason"), CHANGES)
def test_a_bundle_that_is_not_what_was_signed_is_refused(
    signing: Server, bundle: bytes, change: Change, reason: str
) -> None:
    changed = members(bundle)
    change(changed)
    assert re.search(reason, refused(signing, packed(changed)))


def test_a_version_without_a_trusted_signature_is_not_served(signing: Server, tmp_path: Path) -> None:
    store = Store.open(signing.home / "store")
    version = store.models.get("first", 1)

    def copy(name: str, signature: bytes | None) -> None:
        files = {}
        for file in version.manifest["files"]:
            with store.models.local_file(version, file) as path:
                files[file] = tmp_path / file
                files[file].write_bytes(path.read_bytes())
        manifest = {**version.manifest, "job": name}  # a digest of its own
        sign_ = None if signature is None else lambda *_: signature
        store.models.publish(name, manifest, files, sign=sign_)

    copy("unsigned", None)
    copy("forged", signing.client.signature("first", 1))
    rows, v2 = {"instances": [[0.5]]}, {"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [0.5]}]}
    for name in ("unsigned", "forged"):
        for path, body in (
            (f"/v1/models/{name}/predictions", rows),
            (f"/v1/models/{name}/versions/1/predictions", rows),
            (f"/v1/models/{name}:predict", rows),
            (f"/v2/models/{name}/infer", v2),
            (f"/v2/repository/models/{name}/load", {}),
        ):
            assert signing.http.post(path, json=body).status_code == 409, path
        answer = signing.http.get(f"/v1/models/{name}/predictions?x=0.5")
        assert (answer.status_code, answer.json()["code"]) == (409, "not_signed")
        assert f"Version 1 of '{name}' is not served" in answer.json()["detail"]
        assert signing.http.get(f"/v1/models/{name}/versions/1/bundle").status_code == 200  # it can be looked at
    answer = signing.http.get("/v1/models/unsigned/versions/1/signature")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_available")

    # An alias that moves to it goes on with the version before.
    signing.http.put("/v1/models/first/aliases/production", json={"version": 1}).raise_for_status()
    before = signing.http.get("/v1/models/first/predictions?x=0.5").raise_for_status()
    copy("first", None)
    signing.http.put("/v1/models/first/aliases/production", json={"version": 2}).raise_for_status()
    after = signing.http.get("/v1/models/first/predictions?x=0.5")
    assert (after.headers["Model-Version"], after.json()) == ("1", before.json())


def test_where_none_is_required_a_signature_is_kept_as_it_came(
    http: httpx.Client, server: Server, bundle: bytes
) -> None:
    changed = members(bundle) | {"signature.json": b"anything"}
    assert http.post("/v1/models/from-elsewhere/versions", content=packed(changed), headers=ZIP).status_code == 201
    assert server.client.signature("from-elsewhere", 1) == b"anything"
    unsigned = http.post("/v1/models/unsigned/versions", content=_without_signature(bundle), headers=ZIP)
    assert unsigned.status_code == 201
    tags = [http.get("/v1/models/unsigned/versions/1/bundle").headers["ETag"]]
    # The same version, now with its signature.
    assert http.post("/v1/models/unsigned/versions", content=bundle, headers=ZIP).status_code == 200
    assert http.get("/v1/models/unsigned/versions/1/bundle").content == bundle
    tags.append(http.get("/v1/models/unsigned/versions/1/bundle").headers["ETag"])
    assert tags[0] != tags[1]


def _without_signature(bundle: bytes) -> bytes:
    return packed({name: data for name, data in members(bundle).items() if name != "signature.json"})
