"""What is signed, and that nothing else is accepted; model-signing itself is the reference."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_signing import signing, verifying

from model_store.contents import SIGNATURE
from service.signatures.errors import InvalidSignature
from service.signatures.statement import sign, verify
from tests.examples import examples
from tests.signatures.conftest import Key

DIGESTS = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("files/a.json", "files/b", "manifest.json")}


@pytest.fixture(scope="session")
def signature(key: Key) -> bytes:
    return sign("model", DIGESTS, key.private)


def payload(signature: bytes) -> Any:
    """The statement that was signed."""
    return json.loads(base64.b64decode(json.loads(signature)["dsseEnvelope"]["payload"]))


def unpacked(folder: Path, signature: bytes | None = None) -> Path:
    """A folder with the files of these digests, as a bundle is unpacked."""
    for name in DIGESTS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    if signature is not None:
        (folder / SIGNATURE).write_bytes(signature)
    return folder


def test_one_of_the_trusted_keys_must_have_signed(signature: bytes, key: Key, other: Key) -> None:
    verify(DIGESTS, signature, [key.pem])
    verify(DIGESTS, signature, [other.pem, key.pem])  # while keys are exchanged
    for keys in ([other.pem], []):
        with pytest.raises(InvalidSignature, match="made with another key"):
            verify(DIGESTS, signature, keys)


def test_model_signing_accepts_the_unpacked_bundle(signature: bytes, key: Key, tmp_path: Path) -> None:
    config = verifying.Config().use_elliptic_key_verifier(public_key=key.public)
    folder = unpacked(tmp_path / "bundle", signature)
    (folder / "card.md").write_text("a model card")
    config.verify(folder, folder / SIGNATURE)
    (folder / "files/b").write_text("changed")
    with pytest.raises(ValueError, match="Hash mismatch for 'files/b'"):
        config.verify(folder, folder / SIGNATURE)


def test_a_signature_that_model_signing_has_made_of_the_folder_is_accepted(key: Key, tmp_path: Path) -> None:
    folder = unpacked(tmp_path / "bundle")
    signing.Config().use_elliptic_key_signer(private_key=key.private).sign(folder, tmp_path / SIGNATURE)
    verify(DIGESTS, (tmp_path / SIGNATURE).read_bytes(), [key.pem])


@settings(max_examples=examples(60), deadline=None)
@given(data=st.data())
def test_other_files_are_refused(signature: bytes, key: Key, data: st.DataObject) -> None:
    changed = dict(DIGESTS)
    name = data.draw(st.sampled_from(sorted(DIGESTS)))
    match data.draw(st.sampled_from(["bit", "lost", "new", "renamed", "exchanged"])):
        case "bit":
            digest = int(changed[name], 16) ^ (1 << data.draw(st.integers(0, 255)))
            changed[name] = f"{digest:064x}"
        case "lost":
            del changed[name]
        case "new":
            changed["files/c"] = changed[name]
        case "renamed":
            changed[f"{name}x"] = changed.pop(name)
        case _:
            first, last = sorted(DIGESTS)[0], sorted(DIGESTS)[-1]
            changed[first], changed[last] = changed[last], changed[first]
    with pytest.raises(InvalidSignature, match="signs other files"):
        verify(changed, signature, [key.pem])


@settings(max_examples=examples(150), deadline=None)
@given(data=st.data())
def test_a_changed_signature_is_refused_or_signs_the_same(signature: bytes, key: Key, data: st.DataObject) -> None:
    changed = bytearray(signature)
    match data.draw(st.sampled_from(["bit", "cut", "byte"])):
        case "bit":
            changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        case "cut":
            del changed[data.draw(st.integers(0, len(changed) - 1)) :]
        case _:
            changed.insert(data.draw(st.integers(0, len(changed))), data.draw(st.integers(0, 255)))
    try:
        verify(DIGESTS, bytes(changed), [key.pem])
    except InvalidSignature:
        return
    assert payload(bytes(changed)) == payload(signature)  # a space, or a bit that base64 ignores


def test_a_changed_statement_is_refused(signature: bytes, key: Key) -> None:
    document, signed = json.loads(signature), payload(signature)
    signed["predicate"]["resources"][0]["digest"] = "0" * 64
    document["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(signed).encode()).decode()
    with pytest.raises(InvalidSignature, match="not those that the key has signed"):
        verify(DIGESTS, json.dumps(document).encode(), [key.pem])


NOT_ONE: list[Any] = [
    None, [], {}, "text", 1, {"verificationMaterial": None}, {"verificationMaterial": {"publicKey": []}},
    {"verificationMaterial": {"publicKey": {}}}, {"verificationMaterial": {"publicKey": {"hint": 7}}},
    {"verificationMaterial": {"certificate": {"rawBytes": ""}}},
]  # fmt: skip


@pytest.mark.parametrize("document", NOT_ONE, ids=json.dumps)
def test_what_is_no_signature_is_refused(document: Any, key: Key) -> None:
    with pytest.raises(InvalidSignature, match="the format of OpenSSF model-signing"):
        verify(DIGESTS, json.dumps(document).encode(), [key.pem])


@pytest.mark.parametrize("data", [b"", b"[" * 200_000, b"\xff\xfe", b'{"verificationMaterial":NaN}', bytes(1000)])
def test_what_is_no_json_is_refused(data: bytes, key: Key) -> None:
    with pytest.raises(InvalidSignature, match="the format of OpenSSF model-signing"):
        verify(DIGESTS, data, [key.pem])


def _without(document: Any, *path: str) -> bytes:
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "path", ["mediaType", "dsseEnvelope", "dsseEnvelope.payload", "dsseEnvelope.payloadType", "dsseEnvelope.signatures"]
)
def test_a_signature_without_one_of_its_parts_is_refused(signature: bytes, key: Key, path: str) -> None:
    with pytest.raises(InvalidSignature):
        verify(DIGESTS, _without(json.loads(signature), *path.split(".")), [key.pem])


def test_a_signature_without_signatures_is_refused(signature: bytes, key: Key) -> None:
    document = json.loads(signature)
    document["dsseEnvelope"]["signatures"] = []
    with pytest.raises(InvalidSignature):
        verify(DIGESTS, json.dumps(document).encode(), [key.pem])
