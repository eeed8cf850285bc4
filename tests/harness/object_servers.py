"""Servers of S3's and Azure's protocol, which tests start, stop and start again: ministack and azurite, installed by
`scripts/install-object-servers`. They end with this process."""

import base64
import hashlib
import hmac
import os
import re
import shutil
import subprocess
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn, Self

import httpx
import pytest

INSTALLED = Path(__file__).parents[2] / ".object-servers"
ADDRESS = re.compile(r"(?:Running on|listens on) (http://127\.0\.0\.1:[1-9]\d*)\b")
START_SECONDS = 120.0
STOP_SECONDS = 30.0
# Its input ends when this process ends, however that happens.
GUARD = """
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ read -r _ <&3; kill -KILL $server; } &
wait $server
"""
SECRET = "hidden/key+of+tests"  # noqa: S105 - of no account
AZURE_ACCOUNT = "devstoreaccount1"
# That of the emulator, which Microsoft documents.
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class ObjectServer:
    """A running server; a context manager stops it.

    Args:
        folder: its output, and its objects where it keeps them.
        command: starts it on the port that `{port}` stands for, 0 for a free one.
        environment: variables beside those of this process.
    """

    def __init__(self, folder: Path, command: list[str], environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._command = command
        self._environment = environment
        self._log = folder / "log"
        self.address = ""
        folder.mkdir(parents=True, exist_ok=True)
        self.start()

    def start(self) -> None:
        """Starts it; on the port that it had, if it was stopped."""
        port = self.address.rpartition(":")[2] or "0"
        began = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own
                ["/bin/sh", "-c", GUARD, "guard", *(part.format(port=port) for part in self._command)],
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, **{name: value.format(port=port) for name, value in self._environment.items()}},
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not (found := ADDRESS.search(self._log.read_bytes()[began:].decode(errors="replace"))):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"the server did not start:\n{self._log.read_text()}")
            time.sleep(0.01)
        self.address = found[1]

    def stop(self) -> None:
        """Kills it. What it keeps is there again after a start."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(STOP_SECONDS)  # not before the server has ended

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class MiniStack(ObjectServer):
    """A server of S3's protocol, which keeps its objects in `folder`."""

    def __init__(self, folder: Path) -> None:
        python = INSTALLED / "venv/bin/python"
        if not (INSTALLED / ".requirements.txt").exists():
            _without("ministack")
        variables = {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": "{port}",
            "SERVICES": "s3",
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(folder / "objects"),
            "MINISTACK_WORKER_THREADS": "8",
        }
        super().__init__(folder, [str(python), "-m", "ministack"], variables)

    def bucket(self) -> str:
        """The name of a new bucket."""
        name = f"bucket-{uuid.uuid4().hex}"
        httpx.put(f"{self.address}/{name}", trust_env=False).raise_for_status()
        return name

    def variables(self, address: str | None = None) -> dict[str, str]:
        """The environment for obstore, with the address of a proxy if one is given."""
        return {
            "AWS_ENDPOINT_URL": address or self.address,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }


class Azurite(ObjectServer):
    """A server of Azure's protocol for blobs, which keeps its objects in memory."""

    def __init__(self, folder: Path) -> None:
        if not (INSTALLED / ".package.json").exists() or shutil.which("node") is None:
            _without("azurite")
        program = INSTALLED / "node/node_modules/.bin/azurite-blob"
        options = ["--blobHost", "127.0.0.1", "--blobPort", "{port}"]
        options += ["--inMemoryPersistence", "--extentMemoryLimit", "256", "--silent", "--disableTelemetry"]
        super().__init__(folder, [str(program), *options], {})

    def bucket(self) -> str:
        """The name of a new container. The request is signed with the account's key, since obstore makes no containers:
        https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key"""
        name = f"bucket-{uuid.uuid4().hex}"
        headers = {
            "x-ms-date": datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT"),
            "x-ms-version": "2021-12-02",
        }
        lines = ["PUT", *[""] * 11, *(f"{key}:{value}" for key, value in headers.items())]
        lines += [f"/{AZURE_ACCOUNT}/{AZURE_ACCOUNT}/{name}", "restype:container"]
        signature = hmac.new(base64.b64decode(AZURE_KEY), "\n".join(lines).encode(), hashlib.sha256).digest()
        headers["Authorization"] = f"SharedKey {AZURE_ACCOUNT}:{base64.b64encode(signature).decode()}"
        url = f"{self.address}/{AZURE_ACCOUNT}/{name}?restype=container"
        httpx.put(url, headers=headers, trust_env=False).raise_for_status()
        return name

    def variables(self, address: str | None = None) -> dict[str, str]:
        """The environment for obstore, with the address of a proxy if one is given."""
        return {
            "AZURE_STORAGE_ENDPOINT": f"{address or self.address}/{AZURE_ACCOUNT}",
            "AZURE_ALLOW_HTTP": "true",
            "AZURE_STORAGE_ACCOUNT_NAME": AZURE_ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": AZURE_KEY,
        }


def _without(server: str) -> NoReturn:
    reason = f"{server} is not installed: scripts/install-object-servers"
    if os.environ.get("OBJECT_STORE_TESTS") == "required":
        pytest.fail(reason)
    pytest.skip(reason)
