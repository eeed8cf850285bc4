"""Upload a data set: survey the file in a process of its own, then keep it as a new version."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson

from model_store import Store, Version
from model_store.errors import NotFound
from service.use_cases.train import DATA
from service.workflow.errors import InvalidData

HEAD = "head.json"
MOST_SECONDS = 600


def upload(store: Store, name: str, path: Path, media_type: str) -> tuple[Version, bool]:
    """The version that holds the file, and whether it is new: the newest version's own bytes make no new one. The file
    is moved into the store.

    Raises:
        InvalidData: the file cannot be read as what it is said to be.
    """
    digest = _sha256(path)
    try:
        newest = store.datasets.latest(name)
    except NotFound:
        newest = None
    if newest is not None and newest.manifest["digest"] == digest and newest.manifest["media_type"] == media_type:
        return newest, False
    size = path.stat().st_size
    found = _survey(path, media_type)
    head = path.with_name(HEAD)
    head.write_bytes(orjson.dumps(found["head"]))
    manifest = {"format": 1, "media_type": media_type, "bytes": size, "digest": digest, "schema": found["schema"]}
    return store.datasets.publish(name, manifest, {DATA: path, HEAD: head}), True


def _survey(path: Path, media_type: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "service.workflow.data.survey", str(path), media_type]
    environment = {"PATH": os.environ.get("PATH", ""), "TMPDIR": str(path.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, capture_output=True, timeout=MOST_SECONDS, env=environment, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise InvalidData(f"reading the file took more than {MOST_SECONDS} seconds") from None
    if done.returncode:
        raise InvalidData("the file cannot be read: its reader stopped at an error")
    found: dict[str, Any] = orjson.loads(done.stdout)
    if "error" in found:
        raise InvalidData(found["error"])
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
