"""Files and texts as rows: by the client, and by `modelwright predict`."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from modelwright import Client, UnusableData, problems
from tests.cli.conftest import Run
from tests.harness.pictures import picture, zip_of
from tests.harness.server import Server

FIRST, SECOND = picture(1), picture(2, "JPEG", size=(30, 20))


@pytest.fixture(scope="module")
def client(server: Server) -> Client:
    """A client with a model of an image (`painted`), and of an image and a number (`aged-paintings`)."""
    rows = "".join(f"{at}.png,{at},{'old' if at % 2 else 'new'}\n" for at in range(12))
    files = {"metadata.csv": "file_name,age,kind\n" + rows} | {f"{at}.png": picture(at) for at in range(12)}
    with server.http_client() as http:
        made = http.put("/v1/datasets/paintings", content=zip_of(files), headers={"Content-Type": "application/zip"})
    assert made.status_code == 201, made.text
    image = {"image": {"type": "image", "size": 8}}
    for name, features in (("painted", image), ("aged-paintings", {**image, "age": {"type": "number"}})):
        data = {"kind": "dataset", "dataset": "paintings", "target": "kind", "features": features}
        server.client.train({"model_name": name, "data": data, "training": {"epochs": 1}}).wait()
    return server.client


def probabilities(given: list[dict[str, Any]]) -> list[float]:
    return [each["probabilities"]["old"] for each in given]


def test_the_client_sends_files(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "first.bin"
    path.write_bytes(FIRST)
    model = client.model("painted")
    wanted = probabilities(model.predict([FIRST, SECOND]))
    assert wanted[0] != pytest.approx(wanted[1], abs=1e-6)
    for alone in (path, FIRST, bytearray(FIRST), Image.open(io.BytesIO(FIRST))):
        assert probabilities([model.predict(alone)]) == pytest.approx(wanted[:1], abs=1e-5)
    for rows in ([path, SECOND], [{"image": path}, {"image": SECOND}], {"image": [path, SECOND]}, [[path], [SECOND]]):
        assert probabilities(model.predict(rows)) == pytest.approx(wanted, abs=1e-5)
    assert probabilities(client.predict("painted", [path, SECOND])["predictions"]) == pytest.approx(wanted, abs=1e-5)
    grey = Image.open(io.BytesIO(FIRST)).convert("CMYK")  # which PNG cannot hold
    assert 0 < probabilities([model.predict(grey)])[0] < 1
    both = client.model("aged-paintings").predict([{"image": path, "age": 3}, {"image": SECOND, "age": None}])
    assert len(both) == 2
    with pytest.raises(problems.InvalidInstances, match=r"a data: URL"):
        model.predict(str(path))  # a string is a text, not a path
    with pytest.raises(problems.InvalidInstances, match="it is truncated"):
        model.predict(FIRST[:60])
    with pytest.raises(FileNotFoundError):
        model.predict(tmp_path / "none.png")
    with pytest.raises(UnusableData):
        model.predict([object()])


def test_the_command_takes_files(client: Client, run: Run, tmp_path: Path) -> None:
    first, second = tmp_path / "a=1.png", tmp_path / "second.jpg"
    first.write_bytes(FIRST)
    second.write_bytes(SECOND)
    ran = run("predict", "painted", first, second)
    wanted = client.model("painted").predict([FIRST, SECOND])
    assert (ran.status, [line.split()[0] for line in ran.out.splitlines()]) == (0, [each["label"] for each in wanted])
    ran = run("predict", "aged-paintings", second, "age=3", "--input", "image")
    assert (ran.status, len(ran.out.splitlines())) == (0, 1), ran.err
    for arguments, reason in (
        (("painted", tmp_path / "none.jpg"), "is neither FEATURE=VALUE nor a file"),
        (("aged-paintings", second, "age=3"), "name the input of the files"),
        (("painted", "age=3", "--input", "image"), "it is the input of files"),
    ):
        ran = run("predict", *arguments)
        assert (ran.status, reason in re.sub(r"[│\s]+", " ", ran.err)) == (2, True), ran.err
    ran = run("predict", "aged-paintings", second)
    assert (ran.status, "/instances/0/age: is absent" in ran.err) == (1, True), ran.err
