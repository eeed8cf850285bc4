"""Images, texts, clips and tensors, alone and beside columns of a table, over HTTP: uploaded, learned with a spec that has only
`model_name` and `data`, looked at, predicted in the forms that people have, exported, and imported elsewhere."""

import base64
import csv
import io
import os
import random
import signal
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from tests.harness.server import Server
from tests.harness.until import until

SIDE, EACH = 12, 30  # pixels of a picture, and pictures of a class
QUICK = {"training": {"epochs": 8}}


def picture(kind: str, draw: np.random.Generator) -> Image.Image:
    """A bright bar on a dark ground: in a row or in a column."""
    pixels = draw.integers(0, 60, (SIDE, SIDE, 3), dtype=np.uint8)
    at = int(draw.integers(1, SIDE - 3))
    if kind == "row":
        pixels[at : at + 3] = 220
    else:
        pixels[:, at : at + 3] = 220
    return Image.fromarray(pixels)


def encoded(image: Image.Image, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, form)
    return file.getvalue()


def clip(kind: str, draw: np.random.Generator) -> bytes:
    """An animated GIF of a bright bar that moves to the right or to the left."""
    places = range(0, SIDE - 3, 3)
    frames = []
    for at in places if kind == "right" else reversed(places):
        pixels = draw.integers(0, 40, (SIDE, SIDE), dtype=np.uint8)
        pixels[:, at : at + 3] = 230
        frames.append(Image.fromarray(pixels))
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=50)
    return file.getvalue()


def archive(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name, content in files.items():
            made.writestr(name, content)
    return file.getvalue()


WORDS = {"sea": "wave tide harbour sail anchor", "wood": "oak leaf moss trunk acorn"}


def sentence(kind: str, draw: random.Random) -> str:
    found = [draw.choice(WORDS[kind].split()) for _ in range(4)]
    return f"The {found[0]} and the {found[1]} {draw.randrange(1000)} near {found[2]} {found[3]}"


def table(rows: list[dict[str, Any]]) -> bytes:
    file = io.StringIO()
    made = csv.DictWriter(file, list(rows[0]))
    made.writeheader()
    made.writerows(rows)
    return file.getvalue().encode()


@dataclass(frozen=True)
class Kind:
    """One kind of data, and requests for the same row in different forms: of class `truth`."""

    media_type: str
    body: bytes
    data: dict[str, Any]  # of the spec, beside the data set
    model: str
    truth: str
    ways: dict[str, dict[str, Any]]  # the arguments of an HTTP request


def images() -> Kind:
    draw = np.random.default_rng(1)
    files = {f"{kind}/{at}.png": encoded(picture(kind, draw)) for kind in ("row", "column") for at in range(EACH)}
    one = encoded(picture("row", draw))
    b64 = base64.b64encode(one).decode()
    ways: dict[str, dict[str, Any]] = {
        "body": {"content": one, "headers": {"Content-Type": "image/png"}},
        "b64": {"json": {"instances": [{"image": {"b64": b64}}]}},
        "bare": {"json": {"instances": [{"b64": b64}]}},
        "data URL": {"json": {"instances": [{"image": f"data:image/png;base64,{b64}"}]}},
        "form": {"files": {"image": ("a.png", one, "image/png")}},
    }
    return Kind("application/zip", archive(files), {}, "cnn", "row", ways)


def texts() -> Kind:
    draw = random.Random(1)  # noqa: S311 - test data
    rows = [{"message": sentence(kind, draw), "about": kind} for _ in range(EACH) for kind in WORDS]
    one = sentence("sea", draw)
    ways: dict[str, dict[str, Any]] = {
        "body": {"content": one.encode(), "headers": {"Content-Type": "text/plain"}},
        "instance": {"json": {"instances": [{"message": one}]}},
        "bare": {"json": {"instances": [one]}},
        "columns": {"json": {"inputs": {"message": [one]}}},
        "CSV": {"content": table([{"message": one}]), "headers": {"Content-Type": "text/csv"}},
        "query": {"method": "GET", "params": {"message": one}},
    }
    return Kind("text/csv", table(rows), {"target": "about"}, "text_embedding", "sea", ways)


def clips() -> Kind:
    draw = np.random.default_rng(2)
    files = {f"{kind}/{at}.gif": clip(kind, draw) for kind in ("right", "left") for at in range(EACH)}
    one = clip("left", draw)
    ways: dict[str, dict[str, Any]] = {
        "b64": {"json": {"instances": [{"video": {"b64": base64.b64encode(one).decode()}}]}},
        "form": {"files": {"video": ("a.gif", one, "image/gif")}},
    }
    return Kind("application/zip", archive(files), {}, "recurrent", "left", ways)


def tensors() -> Kind:
    draw = np.random.default_rng(3)
    kinds = np.array(["flat", "steep"] * EACH)
    x = draw.normal(size=(len(kinds), 8, 8)).astype(np.float32)
    x[kinds == "steep"] += np.linspace(0, 6, 8, dtype=np.float32)
    file, one = io.BytesIO(), io.BytesIO()
    np.savez(file, x=x, y=kinds)
    np.save(one, x[1:2])
    ways: dict[str, dict[str, Any]] = {
        "lists": {"json": {"instances": [{"x": x[1].tolist()}]}},
        "bare": {"json": {"instances": [x[1].tolist()]}},
        "NPY": {"content": one.getvalue(), "headers": {"Content-Type": "application/x-npy"}},
    }
    return Kind("application/x-npz", file.getvalue(), {}, "cnn", "steep", ways)


def several() -> Kind:
    pixels, draw = np.random.default_rng(4), random.Random(4)  # noqa: S311 - test data
    rows: list[dict[str, Any]] = []
    files: dict[str, bytes] = {}
    for at in range(2 * EACH):
        # Each of the three tells a part: only a column, about the sea, of an old one is rare.
        old, kind, about = draw.random() < 0.5, draw.choice(["row", "column"]), draw.choice(["sea", "wood"])
        score = (kind == "column") + (about == "sea") + old
        files[f"pictures/{at}.jpg"] = encoded(picture(kind, pixels), "JPEG")
        age = 40 + draw.random() if old else draw.random()
        text = sentence(about, draw)
        rows.append(
            {"file_name": f"pictures/{at}.jpg", "story": text, "age": age, "rare": "yes" if score > 1 else "no"}
        )
    one, text = encoded(picture("column", pixels), "JPEG"), sentence("sea", draw)
    b64 = base64.b64encode(one).decode()
    ways: dict[str, dict[str, Any]] = {
        "JSON": {"json": {"instances": [{"image": {"b64": b64}, "story": text, "age": 40.5}]}},
        "form": {"files": {"image": ("a.jpg", one, "image/jpeg")}, "data": {"story": text, "age": "40.5"}},
    }
    body = archive({"metadata.csv": table(rows), **files})
    return Kind("application/zip", body, {"target": "rare"}, "fusion", "yes", ways)


KINDS: dict[str, Callable[[], Kind]] = {
    "images": images,
    "texts": texts,
    "clips": clips,
    "tensors": tensors,
    "several": several,
}


@pytest.fixture(scope="module", params=list(KINDS))
def learned(request: pytest.FixtureRequest, server: Server) -> tuple[str, Kind]:
    """A data set of each kind, and a model of it."""
    name, kind = f"story-{request.param}", KINDS[request.param]()
    found = server.http.put(f"/v1/datasets/{name}", content=kind.body, headers={"Content-Type": kind.media_type})
    assert found.status_code == 201, found.text
    spec = {"model_name": name, "data": {"kind": "dataset", "dataset": name, **kind.data}, **QUICK}
    job = server.client.wait(server.client.train(spec)["id"])
    assert job["spec"]["model"]["kind"] == kind.model
    return name, kind


def ask(server: Server, name: str, arguments: dict[str, Any], version: int | None = None) -> dict[str, Any]:
    """The prediction for one row."""
    path = f"/v1/models/{name}/predictions" if version is None else f"/v1/models/{name}/versions/{version}/predictions"
    found = server.http.request(
        arguments.get("method", "POST"), path, **{k: v for k, v in arguments.items() if k != "method"}
    )
    assert found.status_code == 200, found.text
    (prediction,) = found.json()["predictions"]
    return dict(prediction)


def test_it_learns_and_answers_in_every_form(server: Server, learned: tuple[str, Kind]) -> None:
    name, kind = learned
    metrics = server.client.manifest(name, 1)["metrics"]
    assert metrics["test"]["accuracy"] > metrics["baseline"]["accuracy"]
    answers = {way: ask(server, name, arguments) for way, arguments in kind.ways.items()}
    first = next(iter(answers.values()))
    assert first["label"] == kind.truth
    for way, answer in answers.items():
        assert answer["label"] == first["label"], way
        assert answer["probabilities"] == pytest.approx(first["probabilities"], abs=1e-5), way


def test_it_can_be_looked_at(server: Server, learned: tuple[str, Kind]) -> None:
    name, _ = learned
    rows = server.http.get(f"/v1/datasets/{name}/rows?limit=3").json()["data"]
    assert len(rows) == 3
    plots = server.client.manifest(name, 1)["plots"]
    assert {"data", "predictions", "confusion", "learning_curve", "parameters"} <= set(plots)
    drawn = server.http.get(f"/v1/models/{name}/versions/1/plots/data.png")
    assert drawn.status_code == 200 and drawn.content.startswith(b"\x89PNG")
    assert server.http.get(f"/v1/models/{name}/versions/1/card").status_code == 200


def test_its_bundle_answers_the_same_elsewhere(server: Server, learned: tuple[str, Kind]) -> None:
    name, kind = learned
    bundle = server.http.get(f"/v1/models/{name}/versions/1/bundle").content
    imported = server.http.post(
        f"/v1/models/{name}-elsewhere/versions", content=bundle, headers={"Content-Type": "application/zip"}
    )
    assert imported.status_code == 201, imported.text
    way = next(iter(kind.ways.values()))
    assert ask(server, f"{name}-elsewhere", way) == ask(server, name, way)


def test_a_killed_training_of_images_ends_with_the_same_bits(tmp_path: Path) -> None:
    kind, data = images(), {"kind": "dataset", "dataset": "pictures"}
    training = {"epochs": 12, "batch_size": 8}
    with Server(tmp_path / "home", checkpoint_seconds=0.01, slots=1) as server:
        server.http.put("/v1/datasets/pictures", content=kind.body, headers={"Content-Type": kind.media_type})
        for name in ("whole", "killed"):
            job = server.client.train({"model_name": name, "data": data, "training": training})
            folder = server.home / "checkpoints" / job["id"]
            if name == "killed":
                until(lambda: folder.is_dir() and any(folder.iterdir()))  # noqa: B023 - used at once
                for attempt in server.attempts():
                    os.kill(attempt, signal.SIGKILL)
            job = server.client.wait(job["id"])
        assert job["attempt"] > 1
        whole, killed = (server.client.manifest(name, 1)["files"] for name in ("whole", "killed"))
        assert whole["state_dict.safetensors"] == killed["state_dict.safetensors"]


def test_an_image_model_runs_in_onnx_runtime(server: Server) -> None:
    name, kind = "story-onnx", images()
    found = server.http.put(f"/v1/datasets/{name}", content=kind.body, headers={"Content-Type": kind.media_type})
    assert found.status_code == 201, found.text
    spec = {"model_name": name, "data": {"kind": "dataset", "dataset": name}, "training": {"epochs": 1}}
    server.client.wait(server.client.train(spec)["id"])
    exported = server.http.get(f"/v1/models/{name}/versions/1/exports/onnx", timeout=300)
    assert exported.status_code == 200, exported.text
    session = onnxruntime.InferenceSession(exported.content, providers=["CPUExecutionProvider"])
    pixels = np.asarray(picture("row", np.random.default_rng(9)))
    given = {session.get_inputs()[0].name: pixels.transpose(2, 0, 1)[None]}
    labels, probabilities = session.run(None, given)
    ours = ask(server, name, {"content": encoded(Image.fromarray(pixels)), "headers": {"Content-Type": "image/png"}})
    assert labels.tolist() == [ours["label"]]
    assert probabilities[0].tolist() == pytest.approx(list(ours["probabilities"].values()), abs=1e-5)
