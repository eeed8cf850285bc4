"""Many models behind one process: each is loaded at its first request, and the least recently used are evicted."""

import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
from safetensors.torch import load_file, save_file

from benchmarks.serving.load import Request
from benchmarks.serving.servers import Server
from model_store import Store

STATE_DICT = "state_dict.safetensors"
APART = 10  # between the answers of two models that follow one another


@dataclass(frozen=True)
class Crowd:
    """The result of one request to each model, one after the other."""

    wrong: int  # responses that were not those of the requested model
    cold: list[float]  # seconds of each first answer, over HTTP
    grown: int  # bytes of RSS


def publish(home: Path, template: str, names: list[str]) -> None:
    """Copies of a model, written directly to the store: each predicts `APART` more than the one before."""
    models = Store.open(home / "store").models
    version = models.get(template, 1)
    manifest = {key: value for key, value in version.manifest.items() if key != "files"}
    with models.local_file(version, STATE_DICT) as path:
        tensors = load_file(path)
    with tempfile.TemporaryDirectory(dir=home) as folder:
        for place, name in enumerate(names):
            files = {}
            for file in version.manifest["files"]:
                files[file] = Path(folder) / file
                with models.local_file(version, file) as path:
                    shutil.copy(path, files[file])
            save_file(tensors | {"target.mean": tensors["target.mean"] + APART * place}, files[STATE_DICT])
            models.publish(name, manifest, files)


def ask(server: Server, requests: list[Request]) -> Crowd:
    """Sends one request to each."""
    before, cold, answers = server.memory(), [], []
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        for request in requests:
            began = time.perf_counter()
            answer = client.post(request.path, content=request.body, headers=dict(request.headers))
            cold.append(time.perf_counter() - began)
            answers.append(answer.json()["predictions"][0] if answer.is_success else float("nan"))
    right = sum(abs(answer - answers[0] - APART * place) < 0.1 for place, answer in enumerate(answers))
    return Crowd(len(requests) - right, cold, server.memory() - before)
