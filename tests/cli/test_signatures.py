"""`modelwright keys signing create`, `modelwright verify`, and a version's signature and bill of materials."""

import json
import zipfile
from pathlib import Path

import pytest

from model_store import Collection, Version, member_digests, write_bundle
from service.signatures.statement import sign
from tests.cli.conftest import Run
from tests.harness.line import line
from tests.harness.server import Server
from tests.model_store.memory_backend import MemoryBackend
from tests.model_store.source_files import source_files


@pytest.fixture
def private(run: Run, tmp_path: Path) -> Path:
    made = run("keys", "signing", "create", "--out", tmp_path / "own.pem")
    assert made.status == 0 and str(tmp_path / "own.pub.pem") in made.out
    return tmp_path / "own.pem"


def bundle(folder: Path, private: Path | None, name: str = "bundle.zip") -> Path:
    """A bundle, signed if there is a key."""
    models = Collection(MemoryBackend(), "models")

    def sign_(digest: str, manifest: object) -> bytes:
        assert isinstance(manifest, dict) and private is not None
        return sign("model", member_digests(digest, manifest), private)

    files = source_files(folder, {"weights": b"weights"})
    version: Version = models.publish("a", {}, files, sign=None if private is None else sign_)
    with (folder / name).open("wb") as file:
        write_bundle(version, models, file)
    return folder / name


def test_a_signed_bundle_is_verified(run: Run, tmp_path: Path, private: Path) -> None:
    signed, public = bundle(tmp_path, private), tmp_path / "own.pub.pem"
    good = run("verify", signed, "--key", public)
    assert good.status == 0 and "The signature is valid" in good.out
    assert run("keys", "signing", "create", "--out", tmp_path / "new.pem").status == 0
    wrong = run("verify", signed, "--key", tmp_path / "new.pub.pem")
    assert wrong.status == 1 and "it was made with another key" in wrong.err
    assert run("verify", signed, "--key", tmp_path / "new.pub.pem", "--key", public).status == 0
    data = bytearray(signed.read_bytes())
    data[data.index(b"weights", data.index(b"files/weights") + len("files/weights"))] ^= 1
    signed.write_bytes(data)
    changed = run("verify", signed, "--key", public)
    assert changed.status == 1 and "'files/weights': its" in changed.err


def test_a_bundle_is_signed_in_place(run: Run, tmp_path: Path, private: Path) -> None:
    unsigned, public = bundle(tmp_path, None), tmp_path / "own.pub.pem"
    whole = unsigned.read_bytes()
    refused = run("sign", unsigned, "--key", public)
    assert refused.status == 1 and "it holds no private key" in refused.err and unsigned.read_bytes() == whole
    for name in ("new", "own"):  # the second replaces the first
        key = tmp_path / f"{name}.pem"
        assert name == "own" or run("keys", "signing", "create", "--out", key).status == 0
        assert run("sign", unsigned, "--key", key).status == 0
        assert run("verify", unsigned, "--key", key.with_suffix(".pub.pem")).status == 0
    assert run("verify", unsigned, "--key", tmp_path / "new.pub.pem").status == 1
    assert {path.name for path in tmp_path.iterdir()} >= {"bundle.zip", "own.pem"}
    with zipfile.ZipFile(unsigned) as archive:  # in the order and form that a service gives
        assert archive.namelist() == ["manifest.json", "signature.json", "files/weights"]
        assert archive.read("files/weights") == b"weights"


def test_what_cannot_be_verified_is_refused_with_the_reason(run: Run, tmp_path: Path, private: Path) -> None:
    public, unsigned = tmp_path / "own.pub.pem", bundle(tmp_path, None)
    (tmp_path / "text.zip").write_text("no bundle")
    for path, key, reason in (
        (unsigned, public, "the bundle has none"),
        (unsigned, private, "it holds a private key"),
        (unsigned, tmp_path / "absent.pem", "no such file"),
        (tmp_path / "text.zip", public, "it is not a zip file"),
        (tmp_path / "absent.zip", public, "No such file"),
    ):
        refused = run("verify", path, "--key", key)
        assert refused.status == 1 and reason in refused.err, refused.err
    before = private.read_bytes()
    again = run("keys", "signing", "create", "--out", private)
    assert again.status == 1 and "File exists" in again.err and private.read_bytes() == before


def test_the_signature_and_bill_of_materials_of_a_version(run: Run, server: Server, tmp_path: Path) -> None:
    client = server.client
    client.wait(client.train(line(name="materials"))["id"])
    printed = run("models", "bom", "materials@1")
    saved = run("models", "bom", "materials", "--out", tmp_path / "bom.json")
    document = client.bom("materials", 1)
    assert json.loads(printed.out) == json.loads((tmp_path / "bom.json").read_text()) == document
    assert str(tmp_path / "bom.json") in saved.out
    unsigned = run("models", "signature", "materials@1")
    assert unsigned.status == 3 and "version 1 is not signed" in unsigned.err
    with zipfile.ZipFile(client.download_bundle("materials", 1, tmp_path / "bundle.zip"), "a") as archive:
        archive.writestr("signature.json", '{"any": "text"}')
    client.upload_bundle("signed-materials", tmp_path / "bundle.zip")
    assert run("models", "signature", "signed-materials").out.strip() == '{"any": "text"}'
    assert run("models", "signature", "signed-materials", "--out", tmp_path / "signature.json").status == 0
    assert (tmp_path / "signature.json").read_text() == '{"any": "text"}'
