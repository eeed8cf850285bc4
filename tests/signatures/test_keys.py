"""Keys in files: made once and never overwritten, and refused with the reason at the start."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from service.settings import InvalidSettings, Settings
from service.signatures.errors import InvalidSigningKey
from service.signatures.keys import create_key, read_private_key, read_public_key
from service.signatures.signatures import Signatures
from tests.signatures.conftest import Key

PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
OPEN = serialization.NoEncryption()


def test_a_key_is_readable_by_its_owner_alone_and_never_overwritten(tmp_path: Path) -> None:
    public = create_key(tmp_path / "model.pem")
    assert public == tmp_path / "model.pub.pem"
    assert stat.S_IMODE((tmp_path / "model.pem").stat().st_mode) == 0o600
    assert read_private_key(tmp_path / "model.pem") == read_public_key(public) == public.read_text()
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(FileExistsError):
        create_key(tmp_path / "model.pem")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    (tmp_path / "model.pem").unlink()
    with pytest.raises(FileExistsError):
        create_key(tmp_path / "model.pem")
    assert not (tmp_path / "model.pem").exists()  # no private key without its public key


def test_a_key_of_another_kind_is_refused_with_the_reason(tmp_path: Path, key: Key) -> None:
    small = ec.generate_private_key(ec.SECP256K1())
    wrong = {
        "it must be an elliptic key": ed25519.Ed25519PrivateKey.generate().private_bytes(PEM, PKCS8, OPEN),
        "its curve secp256k1 is none": small.private_bytes(PEM, PKCS8, OPEN),
        "it is encrypted": small.private_bytes(PEM, PKCS8, serialization.BestAvailableEncryption(b"word")),
        "it holds no private key": key.public.read_bytes(),
    }
    for reason, data in wrong.items():
        (tmp_path / "key.pem").write_bytes(data)
        with pytest.raises(InvalidSigningKey, match=reason):
            read_private_key(tmp_path / "key.pem")
    public = rsa.generate_private_key(65537, 2048).public_key()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    wrong = {
        "it must be an elliptic key": public.public_bytes(PEM, spki),
        "its curve secp256k1 is none": small.public_key().public_bytes(PEM, spki),
        "it holds a private key, not the public one": key.private.read_bytes(),
        "it holds no public key": b"\xff\0not a key",
    }
    for reason, data in wrong.items():
        (tmp_path / "key.pem").write_bytes(data)
        with pytest.raises(InvalidSigningKey, match=reason):
            read_public_key(tmp_path / "key.pem")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_public_key_is_the_same_however_its_file_is_written(tmp_path: Path, key: Key, newline: str) -> None:
    (tmp_path / "key.pem").write_bytes(b"comment\n" + key.pem.replace("\n", newline).encode() + b"\n\n")
    assert read_public_key(tmp_path / "key.pem") == key.pem


def test_settings_with_keys_that_cannot_be_used_are_refused(tmp_path: Path, key: Key) -> None:
    missing = tmp_path / "missing.pem"
    wrong: dict[str, dict[str, object]] = {
        f"MODELWRIGHT_SIGNING_KEY_FILE: {missing} cannot be used as a key for signatures: no such file": {
            "signing_key_file": missing
        },
        f"MODELWRIGHT_SIGNING_KEY_FILE: {tmp_path} cannot be used": {"signing_key_file": tmp_path},
        f"MODELWRIGHT_REQUIRE_SIGNATURES: {missing} cannot": {"require_signatures": f"{key.public}, {missing}"},
        "MODELWRIGHT_REQUIRE_SIGNATURES: one of the paths is empty": {"require_signatures": f"{key.public},"},
        "_SIGNATURES: one of the paths": {"require_signatures": " "},
    }
    for message, given in wrong.items():
        with pytest.raises(InvalidSettings, match=message):
            Signatures.open(Settings.read(home=tmp_path, **given))


def test_a_service_that_would_not_serve_its_own_models_says_so(
    tmp_path: Path, key: Key, other: Key, caplog: pytest.LogCaptureFixture
) -> None:
    required = f"{other.public}, {key.public}"
    both = Signatures.open(Settings.read(home=tmp_path, signing_key_file=key.private, require_signatures=required))
    assert both.required and both.signer is not None and not caplog.records
    neither = Signatures.open(Settings.read(home=tmp_path))
    assert not neither.required and neither.signer is None
    for signing in (None, key.private):
        caplog.clear()
        required = str(other.public)
        Signatures.open(Settings.read(home=tmp_path, require_signatures=required, signing_key_file=signing))
        assert "it does not serve them" in caplog.text
