"""`benchmarks/run large_images`: 60,000 images of 64 px, 737 MB once decoded, trained under a limit of 700 MB of memory that is
not page cache; to the same bits after `kill -9` at random moments; and an upload of 1 GB of JPEG files beside predictions.

`IMAGES`, `KILLS` and `UPLOAD_MB` make it shorter."""

import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from PIL import Image

from benchmarks.open_large import serve

IMAGES = int(os.environ.get("IMAGES", "60000"))
KILLS = int(os.environ.get("KILLS", "10"))
UPLOAD_MB = int(os.environ.get("UPLOAD_MB", "1000"))
LIMIT = 700_000_000
MIB = 2**20
CLASSES = 10
SETTINGS = {
    "MODELWRIGHT_MAX_MEMORY_BYTES": str(LIMIT),
    "MODELWRIGHT_CHECKPOINT_SECONDS": "0.5",
}
SPEC: dict[str, Any] = {
    "data": {"kind": "dataset", "dataset": "pictures"},
    "model": {"kind": "cnn", "channels": [8, 16], "blocks": 1},
}
WHOLE = {"split": {"train": 0.9, "validation": 0, "test": 0.1}, "training": {"epochs": 1, "batch_size": 64}}
# Short epochs, since three crashes in a row within one epoch fail a job.
KILLED = {"split": {"train": 0.01, "validation": 0, "test": 0.99}, "training": {"epochs": 200, "batch_size": 64}}


def pictures(path: Path, count: int, side: int) -> None:
    """Writes an archive of JPEG files in a folder for each class. A class has its own brightness."""
    draw = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for at in range(count):
            coarse = draw.integers(0, 120, (8, 8, 3)) + 12 * (at % CLASSES)
            picture = Image.fromarray(coarse.astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
            file = io.BytesIO()
            picture.save(file, "JPEG", quality=90)
            archive.writestr(f"{at % CLASSES}/{at}.jpg", file.getvalue())


def upload(http: httpx.Client, name: str, path: Path) -> float:
    """Seconds of an upload."""
    began = time.monotonic()
    with path.open("rb") as body:
        found = http.put(f"/v1/datasets/{name}", content=body, headers={"Content-Type": "application/zip"})
    found.raise_for_status()
    return time.monotonic() - began


def attempt_of(service: psutil.Process) -> psutil.Process | None:
    """The process that trains, if there is one: the only one below the trainer server."""
    for child in service.children():
        if any("trainer_server" in part for part in child.cmdline()):
            return next(iter(child.children()), None)
    return None


def own_memory(process: psutil.Process) -> int:
    """Resident bytes that are no pages of files; those shared with the trainer server count fully."""
    text = Path(f"/proc/{process.pid}/status").read_text()
    return 1024 * sum(int(found) for found in re.findall(r"^Rss(?:Anon|Shmem):\s+(\d+)", text, re.MULTILINE))


def train(
    http: httpx.Client, service: psutil.Process, name: str, parts: dict[str, Any], kills: int = 0
) -> dict[str, Any]:
    """Trains, killing the attempt this often at a random moment after a checkpoint; the most memory and the result."""
    job = http.post("/v1/training-jobs", json={"model_name": name, **SPEC, **parts}).raise_for_status().json()["id"]
    draw, most, began = random.Random(1), 0, time.monotonic()  # noqa: S311 - no secret
    done, kill_at, seen = 0, None, None
    while (state := http.get(f"/v1/training-jobs/{job}").json())["status"] not in ("succeeded", "failed", "cancelled"):
        attempt = attempt_of(service)
        try:
            if attempt is not None:
                most = max(most, own_memory(attempt))
                newest = newest_checkpoint(Path(os.environ["BENCHMARK_HOME"]) / "checkpoints" / job)
                if done < kills and newest != seen and kill_at is None:
                    kill_at = time.monotonic() + draw.uniform(0.8, 2.0)
                if kill_at is not None and time.monotonic() >= kill_at:
                    attempt.send_signal(signal.SIGKILL)
                    seen, done, kill_at = newest, done + 1, None  # three kills without a newer checkpoint fail a job
        except (psutil.Error, OSError):
            kill_at = None  # it ended in between
        time.sleep(0.05)
    if state["status"] != "succeeded":
        raise SystemExit(f"the training {name} ended as {state['status']}: {state.get('error')}")
    files = http.get(f"/v1/models/{name}/versions/1").json()["files"]
    return {
        "seconds": time.monotonic() - began,
        "most": most,
        "kills": done,
        "digest": files["state_dict.safetensors"]["sha256"],
    }


def newest_checkpoint(folder: Path) -> str | None:
    """The name of the newest checkpoint, if there is one."""
    return max((each.name for each in folder.glob("*.safetensors")), default=None)


def under_a_limit(home: Path, folder: Path) -> None:
    """The first rows of the table."""
    archive = folder / "pictures.zip"
    pictures(archive, IMAGES, 64)
    os.environ["BENCHMARK_HOME"] = str(home)
    with serve(home, SETTINGS) as (http, service):
        took = upload(http, "pictures", archive)
        whole = train(http, service, "whole", WHOLE)
        undisturbed = train(http, service, "undisturbed", KILLED)
        killed = train(http, service, "killed", KILLED, KILLS)
    size = IMAGES * 3 * 64 * 64 / 1e6
    equal = "the same digest" if undisturbed["digest"] == killed["digest"] else "ANOTHER DIGEST"
    print(f"| {IMAGES:,} images of 64 px, {archive.stat().st_size / 1e6:.0f} MB of JPEG: upload | {took:.1f} s | |")  # noqa: T201
    print(  # noqa: T201
        f"| its training: {size:.0f} MB once decoded; most memory that is no page cache | {whole['most'] / 1e6:.0f} MB, "
        f"{whole['seconds']:.0f} s | ≤ {LIMIT / 1e6:.0f} MB |"
    )
    print(  # noqa: T201
        f"| 200 epochs of {IMAGES // 100:,} of them, killed {killed['kills']} times | {killed['most'] / 1e6:.0f} MB, "
        f"{equal} | the same digest |"
    )


def beside_predictions(home: Path, folder: Path) -> None:
    """The rows about an upload of 1 GB."""
    archive = folder / "photos.zip"
    photos(archive)
    with serve(home, SETTINGS) as (http, service):
        rows = [{"x": float(at), "y": 2.0 * at} for at in range(40)]
        spec = {
            "model_name": "line",
            "data": {"kind": "rows", "records": rows, "target": "y"},
            "training": {"epochs": 2},
        }
        job = http.post("/v1/training-jobs", json=spec).raise_for_status().json()["id"]
        while http.get(f"/v1/training-jobs/{job}").json()["status"] != "succeeded":
            time.sleep(0.1)
        alone = latencies(str(http.base_url), lambda: time.sleep(10))
        before, most = service.memory_info().rss, 0
        ended = threading.Event()

        def watch() -> None:
            nonlocal most
            while not ended.wait(0.02):
                most = max(most, service.memory_info().rss)

        watcher = threading.Thread(target=watch)
        watcher.start()
        took = 0.0

        def work() -> None:
            nonlocal took
            took = upload(http, "photos", archive)

        beside = latencies(str(http.base_url), work)
        ended.set()
        watcher.join()
    grown, ratio = (most - before) / MIB, beside / alone
    print(  # noqa: T201
        f"| upload of {archive.stat().st_size / 1e6:.0f} MB of JPEG in {took:.0f} s: memory of the service | "
        f"+ {grown:.0f} MiB | ≤ + 64 MiB |"
    )
    print(f"| predictions' p99 meanwhile | {ratio:.2f} × ({alone * 1e3:.2f} → {beside * 1e3:.2f} ms) | ≤ 2 × |")  # noqa: T201


def photos(path: Path) -> None:
    """An archive of this size, of one large photo under many names."""
    coarse = np.random.default_rng(1).integers(0, 255, (150, 200, 3)).astype(np.uint8)
    picture = Image.fromarray(coarse).resize((1600, 1200), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=93)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for at in range(max(2, UPLOAD_MB * 1_000_000 // file.tell())):
            archive.writestr(f"{at % 2}/{at}.jpg", file.getvalue())


PREDICT = """
import json, sys, threading, time, httpx
took, ended = [], threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
with httpx.Client(base_url=sys.argv[1]) as http:
    while not ended.is_set():
        began = time.perf_counter()
        http.post("/v1/models/line/predictions", json={"instances": [[0.5]]}).raise_for_status()
        took.append(time.perf_counter() - began)
        time.sleep(0.003)
took.sort()
print(json.dumps(took[len(took) * 99 // 100]))
"""


def latencies(url: str, work: Any) -> float:
    """The p99 in seconds of predictions one after another, by a process of its own, while `work` runs."""
    command = [sys.executable, "-c", PREDICT, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:  # noqa: S603
        work()
        found, _ = client.communicate("")
    return float(json.loads(found))


def main() -> None:
    """Prints the table."""
    print("| what | came to | must hold |\n|---|---|---|")  # noqa: T201
    with tempfile.TemporaryDirectory(dir=os.environ.get("SCRATCH")) as name:
        folder = Path(name)
        under_a_limit(folder / "home-1", folder)
        beside_predictions(folder / "home-2", folder)


if __name__ == "__main__":
    main()
