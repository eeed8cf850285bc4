"""The service's side of signatures: child processes make and verify them, and what was verified is remembered."""

import hashlib
import importlib.util
import json
import logging
import subprocess
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from model_store import Version, member_digests
from model_store.collection import Collection
from model_store.version import Sign
from service import interpreter
from service.settings import InvalidSettings, Settings
from service.signatures.errors import InvalidSignature, InvalidSigningKey, NotTrusted, SigningFailed

CHILD = "service.signatures.child"
MAX_SECONDS = 60.0
MAX_REMEMBERED = 10_000
MAX_LOGGED = 2000
UNSIGNED = "it has no signature"

log = logging.getLogger(__name__)


class Signatures:
    """Signs versions with one key, and verifies them by others. Thread-safe; all methods but the properties may block.

    Args:
        temporary: the folder for temporary files.
        key: the file of the private key; None to sign nothing.
        trusted: public keys as PEM; if there are any, only versions that one of them has signed are served.
    """

    def __init__(self, temporary: Path, key: Path | None = None, trusted: Sequence[str] = ()) -> None:
        self._temporary = temporary
        self._key = key
        self._trusted = tuple(trusted)
        self._verified: OrderedDict[tuple[str, bytes], str | None] = OrderedDict()
        self._verifying = threading.Lock()  # one child at a time, and one for all that wait for the same version

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Signatures as the settings have them; their keys are read.

        Raises:
            InvalidSettings: a key cannot be used, or the extra `signing` is not installed.
        """
        temporary, key = settings.home.resolve() / "tmp", settings.signing_key_file
        if key is None and settings.require_signatures is None:
            return cls(temporary)
        if importlib.util.find_spec("model_signing") is None or importlib.util.find_spec("OpenSSL") is None:
            raise InvalidSettings('signatures need the extra `signing`: pip install "modelwright[signing]"')
        from service.signatures.keys import read_private_key, read_public_key

        setting = "MODELWRIGHT_SIGNING_KEY_FILE"
        try:
            own = None if key is None else read_private_key(key)
            setting = "MODELWRIGHT_REQUIRE_SIGNATURES"
            trusted = [read_public_key(path) for path in _paths(settings.require_signatures)]
        except InvalidSigningKey as error:
            raise InvalidSettings(f"{setting}: {error}") from None
        if trusted and own not in trusted:
            made = "are not signed" if own is None else "are signed with a key that is not among them"
            log.warning(
                "MODELWRIGHT_REQUIRE_SIGNATURES: the models that this service trains %s: it does not serve them", made
            )
        return cls(temporary, None if key is None else key.resolve(), trusted)

    @property
    def signer(self) -> Sign | None:
        """Signs a version that is published; None without a key. It raises SigningFailed."""
        return None if self._key is None else self._sign

    @property
    def required(self) -> bool:
        """Whether only signed versions are imported and served."""
        return bool(self._trusted)

    def check(self, digest: str, manifest: Mapping[str, Any], signature: bytes | None) -> None:
        """Checks that a trusted key has signed the version with this digest and manifest, if signatures are required.

        Raises:
            InvalidSignature: none has.
            SigningFailed: that cannot be determined now.
        """
        if not self._trusted:
            return
        if signature is None:
            raise InvalidSignature(UNSIGNED)
        about = digest, hashlib.sha256(signature).digest()
        with self._verifying:
            if about not in self._verified:
                self._verified[about] = self._reason(member_digests(digest, manifest), signature)
                if len(self._verified) > MAX_REMEMBERED:
                    self._verified.popitem(last=False)
            reason = self._verified[about]
        if reason is not None:
            raise InvalidSignature(reason)

    def check_version(self, collection: Collection, version: Version) -> None:
        """Checks a published version, as `check` does.

        Raises:
            NotTrusted: no trusted key has signed it.
            SigningFailed: that cannot be determined now.
            StoreError: its signature cannot be read.
        """
        if self._trusted:
            try:
                self.check(version.digest, version.manifest, collection.signature(version))
            except InvalidSignature as error:
                raise NotTrusted(version.name, version.number, error.reason) from error

    def _sign(self, digest: str, manifest: Mapping[str, Any]) -> bytes:
        request = {"name": digest, "digests": member_digests(digest, manifest), "key": str(self._key)}
        return str(self._answer(request)["signature"]).encode()

    def _reason(self, digests: Mapping[str, str], signature: bytes) -> str | None:
        """Why the signature is not valid; None when it is."""
        try:
            text = signature.decode()
        except UnicodeDecodeError:
            return "it is no text"
        answer = self._answer({"digests": digests, "signature": text, "keys": self._trusted})
        return None if "valid" in answer else str(answer["invalid"])

    def _answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What a child process answers. Raises SigningFailed."""
        place = str(self._temporary)
        try:
            self._temporary.mkdir(parents=True, exist_ok=True)
            ended = subprocess.run(  # noqa: S603 - our own interpreter and module
                interpreter.command(CHILD),
                input=json.dumps(request).encode(),
                capture_output=True,
                env=interpreter.child_environment() | {"HOME": place, "TMPDIR": place},
                timeout=MAX_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise SigningFailed(f"The process for signatures took more than {MAX_SECONDS:.0f} seconds.") from None
        except OSError as error:
            raise SigningFailed(f"The process for signatures could not be started: {error.strerror}.") from error
        try:
            answer: dict[str, Any] = json.loads(ended.stdout) if ended.returncode == 0 else {}
        except ValueError:
            answer = {}
        if not answer:
            log.warning("%s failed: %s", CHILD, ended.stderr.decode(errors="replace")[-MAX_LOGGED:])
            raise SigningFailed("The process for signatures failed.")
        if "failed" in answer:
            raise SigningFailed(f"No signature can be made or verified now: {answer['failed']}.")
        return answer


def _paths(listed: str | None) -> list[Path]:
    paths = [] if listed is None else [path.strip() for path in listed.split(",")]
    if "" in paths:
        raise InvalidSettings("MODELWRIGHT_REQUIRE_SIGNATURES: one of the paths is empty")
    return [Path(path) for path in paths]
