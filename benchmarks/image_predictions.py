"""`benchmarks/run image_predictions`: the time of a prediction from one JPEG file of 224 × 224 pixels over HTTP, beside decoding
it with Pillow and the model's forward, both in this process with one thread.

One connection, raw bodies. The service and the bare work alternate, one prediction each; medians count. Where other programs use
the cores, waiting for a turn is most of what the clock shows: the processor time of both is beside it.
"""

import io
import os
import sys
import tempfile
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

import httpx
import numpy as np
import psutil
import torch
from PIL import Image

from model_store import Store
from model_store.backends.local import LocalBackend
from service.use_cases.open_model import open_model
from tests.harness.pictures import picture, zip_of
from tests.harness.server import Server

ROUNDS = int(os.environ.get("ROUNDS", "300"))
WARMING = 30  # rounds before those that count
SIDES = (32, 64, 128)  # of the images that the model takes
FACTOR, MORE = 1.3, 0.3  # what must hold: at most so many times the bare work, and so many milliseconds more
JPEG = {"Content-Type": "image/jpeg"}


def photo(side: int = 224) -> bytes:
    """A JPEG file that compresses as a photo does: smooth colours, with some noise."""
    x, y = np.meshgrid(np.linspace(0, 3, side), np.linspace(0, 2, side))
    smooth = np.stack([np.sin(x + y), np.cos(2 * x), np.sin(3 * y)], axis=2) * 100 + 128
    noisy = smooth + np.random.default_rng(0).normal(0, 6, smooth.shape)
    file = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def train(http: httpx.Client, side: int) -> str:
    """The name of a model of images of this size, the default network."""
    name = f"photos-{side}"
    data = {"kind": "dataset", "dataset": "photos", "target": "label"}
    spec = {"model_name": name, "data": data | {"features": {"image": {"type": "image", "size": side}}}}
    job = http.post("/v1/training-jobs", json={**spec, "training": {"epochs": 1}})
    job.raise_for_status()
    while (found := http.get(f"/v1/training-jobs/{job.json()['id']}?wait=20").json())["status"] != "succeeded":
        if found["status"] == "failed":
            raise RuntimeError(found)
    return name


def measured(steps: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The median milliseconds of each step, by the clock."""
    found: dict[str, list[float]] = {name: [] for name in steps}
    for at in range(WARMING + ROUNDS):
        for name, step in steps.items():
            began = time.perf_counter()
            step()
            if at >= WARMING:
                found[name].append(1000 * (time.perf_counter() - began))
    return {name: median(each) for name, each in found.items()}


def processor(step: Callable[[], object], process: psutil.Process) -> float:
    """The milliseconds of the processor that a step takes from a process."""
    before = sum(process.cpu_times()[:2])
    for _ in range(ROUNDS):
        step()
    return 1000 * (sum(process.cpu_times()[:2]) - before) / ROUNDS


def row(server: Server, connection: HTTPConnection, side: int, body: bytes) -> str:
    """The row of the table for a model of images of this size."""
    name = train(server.http, side)
    store = Store(LocalBackend(server.home / "store"))
    model, _ = open_model(store, store.models.get(name, 1))
    raw = torch.from_numpy(decoded(body, side))[None]

    def decode() -> object:
        return decoded(body, side)

    def forward() -> object:
        with torch.inference_mode():
            return model({"image": raw})

    def predict() -> None:
        connection.request("POST", f"/v1/models/{name}/predictions", body, JPEG)
        if not connection.getresponse().read().startswith(b'{"model_name"'):
            raise RuntimeError("the service refused the prediction")

    found = measured({"decode": decode, "forward": forward, "service": predict})
    ours, served = psutil.Process(), psutil.Process(server.process.pid)
    used = [processor(decode, ours), processor(forward, ours), processor(predict, served)]
    most = FACTOR * (found["decode"] + found["forward"]) + MORE
    holds = "yes" if found["service"] <= most else "no"
    clock = " | ".join(f"{found[each]:.2f}" for each in ("decode", "forward", "service"))
    bare = f"{used[0]:.2f} + {used[1]:.2f}"
    return f"| {side} × {side} | {clock} | {most:.2f} | {holds} | {bare} | {used[2]:.2f} |\n"


def main() -> None:
    """Prints the table."""
    torch.set_num_threads(1)
    body = photo()
    files = {f"{kind}/{each}.png": picture(2 * each + at) for each in range(8) for at, kind in enumerate("ab")}
    sys.stdout.write(
        f"The JPEG file has {len(body):,} bytes. Must hold: service ≤ {FACTOR} × (decode + forward) + {MORE} ms.\n\n"
    )
    named = (
        "decode, ms",
        "forward, ms",
        "service, ms",
        "at most, ms",
        "holds",
        "bare, processor ms",
        "service, processor ms",
    )
    sys.stdout.write(f"| image | {' | '.join(named)} |\n|{'---|' * 8}\n")
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "home") as server:
        made = server.http.put(
            "/v1/datasets/photos", content=zip_of(files), headers={"Content-Type": "application/zip"}
        )
        made.raise_for_status()
        address = server.http.base_url
        connection = HTTPConnection(address.host, address.port)
        for side in SIDES:
            sys.stdout.write(row(server, connection, side, body))
            sys.stdout.flush()


def decoded(body: bytes, side: int) -> np.ndarray:
    """Decoding by hand."""
    image = Image.open(io.BytesIO(body)).convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))


if __name__ == "__main__":
    main()
