"""Keys for signatures: elliptic keys in PEM files. Loads `cryptography`, which comes with the extra `signing`."""

import hashlib
import os
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from model_store.durable_files import sync
from service.signatures.errors import InvalidSigningKey

CURVES: Final = ("secp256r1", "secp384r1", "secp521r1")  # those that model-signing knows
MAX_KEY_BYTES = 64 * 1024
PUBLIC_SUFFIX = ".pub.pem"


def create_key(private: Path) -> Path:
    """Writes a new private key (NIST P-256, PKCS #8, not encrypted, mode 0600), and its public key beside it.

    Returns:
        The path of the public key: that of the private one with the suffix `.pub.pem`.

    Raises:
        FileExistsError: one of the two files is there already; nothing is overwritten.
        OSError: they cannot be written.
    """
    public = private.with_suffix(PUBLIC_SUFFIX)
    key = ec.generate_private_key(ec.SECP256R1())
    pem, no_password = serialization.Encoding.PEM, serialization.NoEncryption()
    _write(private, key.private_bytes(pem, serialization.PrivateFormat.PKCS8, no_password), 0o600)
    try:
        _write(public, _pem(key.public_key()).encode(), 0o644)
    except OSError:
        private.unlink()
        raise
    sync(private.absolute().parent)
    return public


def read_public_key(path: Path) -> str:
    """The public key in a PEM file, as PEM in its one canonical form.

    Raises:
        InvalidSigningKey: the file cannot be read, or holds no public key of a known curve.
    """
    data = _read(path)
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        private = b"PRIVATE KEY" in data
        reason = "it holds a private key, not the public one" if private else "it holds no public key in PEM"
        raise InvalidSigningKey(str(path), reason) from None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise InvalidSigningKey(str(path), f"it must be an elliptic key of {', '.join(CURVES)}")
    return _checked(path, key)


def read_private_key(path: Path) -> str:
    """The public key of the private key in a PEM file, as `read_public_key` returns it.

    Raises:
        InvalidSigningKey: the file cannot be read, or holds no private key of a known curve, or an encrypted one.
    """
    try:
        key = serialization.load_pem_private_key(_read(path), password=None)
    except TypeError:
        raise InvalidSigningKey(str(path), "it is encrypted, and there is no setting for its password") from None
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidSigningKey(str(path), "it holds no private key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise InvalidSigningKey(str(path), f"it must be an elliptic key of {', '.join(CURVES)}")
    return _checked(path, key.public_key())


def fingerprint(public: str) -> str:
    """The SHA-256 (hex) of a public key's canonical PEM, which model-signing writes into a signature as the key's `hint`."""
    return hashlib.sha256(public.encode()).hexdigest()


def _checked(path: Path, key: ec.EllipticCurvePublicKey) -> str:
    if key.curve.name not in CURVES:
        raise InvalidSigningKey(str(path), f"its curve {key.curve.name} is none of {', '.join(CURVES)}")
    return _pem(key)


def _pem(key: ec.EllipticCurvePublicKey) -> str:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_KEY_BYTES)
    except OSError as error:
        raise InvalidSigningKey(str(path), (error.strerror or "it cannot be read").lower()) from None


def _write(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
