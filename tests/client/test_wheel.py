"""The wheel `modelwright-client`, in an environment that has nothing but httpx."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.client.rows import IRIS
from tests.harness.server import Server

ROOT = Path(__file__).parents[2]
OF_HTTPX = {"anyio", "certifi", "h11", "httpcore", "httpx", "idna", "sniffio", "typing_extensions", "truststore"}


def run(*command: str | Path, **environment: str) -> str:
    """What a command prints on stdout."""
    outer = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(  # noqa: S603 - our own
        list(map(str, command)), env=outer | environment, capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment with the wheel. The tests are skipped where it cannot be installed, and fail with
    CLIENT_TESTS=required."""
    folder = tmp_path_factory.mktemp("wheel")
    try:
        wheel = run(ROOT / "scripts" / "build-client", folder, MODELWRIGHT_VENV=sys.prefix)
        run(sys.executable, "-m", "venv", "--without-pip", folder / "venv")
        python = folder / "venv" / "bin" / "python"
        pip = [
            sys.executable,
            "-m",
            "pip",
            "--python",
            str(python),
            "--disable-pip-version-check",
            "install",
            "--quiet",
        ]
        run(*pip, "--no-compile", wheel)
    except RuntimeError as error:
        if os.environ.get("CLIENT_TESTS") == "required":
            raise
        pytest.skip(f"the wheel is not built or installed: {str(error)[-300:]}")
    return python


def test_the_client_alone(server: Server, python: Path) -> None:
    found = json.loads(run(python, ROOT / "tests" / "client" / "alone.py", server.url, IRIS))
    assert (found["label"], found["versions"]) == ("setosa", [1])
    assert found["not there"] == ["torch", "numpy", "pandas", "service", "fastapi"]
    assert Path(found["from"]).is_relative_to(python.parents[1])
    assert "modelwright-client" in found["installed"]
    assert {name.replace("-", "_") for name in found["installed"]} - OF_HTTPX == {"modelwright_client"}


def test_it_has_the_version_of_the_service(python: Path) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    code = "import importlib.metadata; print(importlib.metadata.version('modelwright-client'))"
    assert run(python, "-c", code) == version
