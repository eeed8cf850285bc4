"""Signing and verifying in child processes, and what is remembered of it."""

import os
import threading
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from model_store import Store
from service.signatures.errors import InvalidSignature, NotTrusted, SigningFailed
from service.signatures.signatures import CHILD, Signatures
from tests.harness.until import until
from tests.model_store.memory_backend import MemoryBackend
from tests.model_store.source_files import source_files
from tests.signatures.conftest import Key, new_key


def children() -> list[psutil.Process]:
    """The processes of this one that make or verify signatures."""
    found = []
    for each in psutil.Process().children():
        try:
            if CHILD in each.cmdline():
                found.append(each)
        except psutil.Error:
            continue
    return found


def test_a_version_is_verified_once(tmp_path: Path, key: Key) -> None:
    signs = Signatures(tmp_path / "tmp", key.private, [key.pem])
    models = Store(MemoryBackend()).models
    signed = models.publish("a", {}, source_files(tmp_path, {"x": b"1"}), sign=signs.signer)
    unsigned = models.publish("b", {}, source_files(tmp_path, {"x": b"2"}))
    signs.check_version(models, signed)
    (tmp_path / "tmp").rmdir()  # it is empty, and a child would need it
    (tmp_path / "tmp").write_text("no folder: no child can be started")
    signs.check_version(models, signed)
    with pytest.raises(NotTrusted, match=r"Version 1 of 'b' is not served, .* it has no signature"):
        signs.check_version(models, unsigned)
    signature = models.signature(signed)
    assert signature is not None
    with pytest.raises(SigningFailed):  # that of another version is not known yet
        signs.check(unsigned.digest, unsigned.manifest, signature)
    with pytest.raises(InvalidSignature, match="it is no text"):
        signs.check(signed.digest, signed.manifest, b"\xff")
    Signatures(tmp_path).check_version(models, unsigned)  # where no signature is required


def test_a_killed_child_makes_no_signature_and_shows_no_secret(tmp_path: Path) -> None:
    key = new_key(tmp_path, "confidential")
    key.private.unlink()
    os.mkfifo(key.private)  # a file system that does not answer
    signs, models = Signatures(tmp_path / "tmp", key.private), Store(MemoryBackend()).models
    files, seen = source_files(tmp_path, {"x": b"1"}), list[str]()

    def look_and_kill() -> None:
        child = until(children)[0]
        with suppress(psutil.AccessDenied):  # only root may look into its environment
            seen.extend([*child.cmdline(), *child.environ(), *child.environ().values()])
        child.kill()

    killer = threading.Thread(target=look_and_kill)
    killer.start()
    with pytest.raises(SigningFailed, match="The process for signatures failed"):
        models.publish("a", {}, files, sign=signs.signer)
    killer.join()
    assert models.names() == [] and models.contents("a").ids() == []
    assert all(path.exists() for path in files.values())
    assert "confidential" not in " ".join(seen) and (os.geteuid() != 0 or "PATH" in seen)
