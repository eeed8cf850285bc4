"""The service against its own OpenAPI document, by schemathesis: every response is declared and matches its schema, valid
requests are accepted, invalid ones refused, and none causes a server error. Its settings: `tests/api/fuzz/schemathesis.toml`.

CASES (3) are sent to each operation; scripts/nightly sends 2,000, and in more phases.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import train
from tests.harness.server import Server

ROOT = Path(__file__).parents[2]
CONFIG = Path(__file__).parent / "fuzz" / "schemathesis.toml"
KEY = "fuzzed-with-a-key-that-nobody-can-revoke"
BEARER = f"Bearer {KEY}"
SETTINGS: dict[str, Any] = {
    "admin_key": KEY,
    "default_model": "line",  # for `/invocations`
    "max_training_seconds": 20,  # a spec of a million epochs must not delay all others
}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A server for arbitrary data, and the job that made its model `line`. It has a key from the start, as a first key
    made by a case would refuse all later cases. The key is configured, as the cases may revoke any other."""
    with Server(tmp_path_factory.mktemp("fuzzed") / "home", **SETTINGS) as server, server.http_client() as http:
        http.headers["Authorization"] = BEARER
        job = train(http, "line")["id"]
        http.put("/v1/models/line/aliases/production", json={"version": 1}).raise_for_status()
        http.put(
            "/v1/datasets/table", content="x,y\n0,1\n1,2\n", headers={"Content-Type": "text/csv"}
        ).raise_for_status()
        yield server, job


def test_the_service_conforms_to_its_openapi_document(own: tuple[Server, str], tmp_path: Path) -> None:
    server, job = own
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG), "run"]
    command += [f"{server.url}/openapi.json", "--no-color", "--phases", os.environ.get("PHASES", "examples,fuzzing")]
    command += ["--max-examples", os.environ.get("CASES", "3"), "--continue-on-failure"]
    command += ["--header", f"Authorization: {BEARER}", "--request-timeout", "120"]  # an export may take a minute
    done = subprocess.run(  # noqa: S603 - our own
        command,
        cwd=tmp_path,  # for its cache
        env=os.environ | {"JOB": job, "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ERROR" not in server.log(), server.log()
    with server.http_client() as http:  # the key was not revoked, so every case had it
        assert http.get("/v1/keys", headers={"Authorization": BEARER}).status_code == 200
