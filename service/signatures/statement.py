"""Signing and verifying with OpenSSF model-signing (https://github.com/sigstore/model-transparency), whose import takes a second
of processor time: only for the command line and for `service.signatures.child`.

What is signed is an in-toto statement with the SHA-256 of each member of the version's bundle. The files themselves are not read:
the manifest's bytes and the digests in it are known, and whoever has the files compares them with the manifest. So the signature
is the one that `model_signing sign key` makes of the unpacked bundle, and `model_signing verify key` accepts it for that folder.
"""

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from cryptography.exceptions import InvalidSignature as WrongSignature
from model_signing import hashing, manifest, signing, verifying
from model_signing._hashing.hashing import Digest

from model_store.contents import SIGNATURE
from service.bundle_members import MEMBERS
from service.signatures.errors import InvalidSignature
from service.signatures.keys import fingerprint

# What an unpacked bundle has besides what is signed: the signature, and the model card, which is made from the manifest.
_IGNORED = [SIGNATURE, *MEMBERS]
# As model-signing describes its own reading of a folder.
_SERIALIZATION = {"method": "files", "hash_type": "sha256", "allow_symlinks": False, "ignore_paths": _IGNORED}


class _KnownDigests(hashing.Config):
    """Digests that are known already, in place of those of a folder's files."""

    def __init__(self, digests: Mapping[str, str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # it has no types
        self._digests = digests

    def hash(self, model_path: Any, *, files_to_hash: Iterable[Any] | None = None) -> manifest.Manifest:
        """The manifest, in model-signing's sense, of these files."""
        items = [
            manifest.FileManifestItem(path=PurePosixPath(name), digest=Digest("sha256", bytes.fromhex(digest)))
            for name, digest in self._digests.items()
        ]
        return manifest.Manifest(str(model_path), items, manifest.SerializationType.from_args(_SERIALIZATION))


def sign(name: str, digests: Mapping[str, str], key: Path) -> bytes:
    """The signature, a Sigstore bundle in JSON.

    Args:
        name: the subject of the statement; informative only.
        digests: the SHA-256 (hex) of each file, by its name.
        key: the file of the private key.

    Raises:
        OSError, ValueError: the key cannot be read, or is none.
    """
    config = signing.Config().use_elliptic_key_signer(private_key=key).set_hashing_config(_KnownDigests(digests))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / SIGNATURE
        config.sign(name, path)
        return path.read_bytes()


def verify(digests: Mapping[str, str], signature: bytes, keys: Sequence[str]) -> None:
    """Checks that one of the keys has signed exactly these files.

    Args:
        digests: the SHA-256 (hex) of each file, by its name.
        signature: a Sigstore bundle in JSON.
        keys: public keys as canonical PEM.

    Raises:
        InvalidSignature: none has, or it is no signature in this format.
        OSError: temporary files cannot be written.
    """
    hint = _hint(signature)
    candidates = [key for key in keys if hint is None or fingerprint(key) == hint]
    if not candidates:
        raise InvalidSignature("it was made with another key")
    refused = InvalidSignature("it was made with another key")
    for key in candidates:
        try:
            return _verify(digests, signature, key)
        except InvalidSignature as error:
            refused = error
    raise refused


def _hint(signature: bytes) -> str | None:
    """The fingerprint of the key that the signature names; None where it names none, as those of before model-signing 1.1."""
    try:
        hint = json.loads(signature)["verificationMaterial"]["publicKey"].get("hint")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InvalidSignature("it is not a signature by a key, in the format of OpenSSF model-signing") from None
    return hint if isinstance(hint, str) and hint else None


def _verify(digests: Mapping[str, str], signature: bytes, key: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        public, path = Path(folder) / "key.pem", Path(folder) / SIGNATURE
        public.write_text(key)
        path.write_bytes(signature)
        config = verifying.Config().use_elliptic_key_verifier(public_key=public)
        try:
            config.set_hashing_config(_KnownDigests(digests)).verify(Path("model"), path)
        except OSError:
            raise
        except WrongSignature:
            raise InvalidSignature("its bytes are not those that the key has signed") from None
        except ValueError as error:
            other = str(error).startswith("Signature mismatch")
            reason = "it signs other files" if other else "it does not have the format of OpenSSF model-signing"
            raise InvalidSignature(reason) from error
        except Exception as error:  # whatever its parser raises for what is none
            raise InvalidSignature("it does not have the format of OpenSSF model-signing") from error
