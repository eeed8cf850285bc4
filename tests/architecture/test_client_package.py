import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVER = {
    "service",
    "model_store",
    "torch",
    "fastapi",
    "starlette",
    "pydantic",
    "orjson",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "asyncio",
}


def test_the_client_package_does_not_import_the_server() -> None:
    command = [sys.executable, "-c", "import sys\nfrom modelwright import Client\nprint(*sys.modules)"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603 - our own
    assert "httpx" in done.stdout.split()
    assert not SERVER & set(done.stdout.split())
