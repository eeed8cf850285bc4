"""Model cards over HTTP and in bundles."""

import io
import json
import re
import shlex
import zipfile
from typing import Any

import httpx
import pytest

from service.workflow.card import POLICY, Subject, page
from tests.api.conftest import train
from tests.harness.until import until
from tests.workflow.test_card import HOSTILE, MARKDOWN, PAGES, Read, rendered

NAMES = [each for each in HOSTILE if "\ud800" not in each]
ZIP = {"Content-Type": "application/zip"}


@pytest.fixture(scope="module")
def hostile(http: httpx.Client) -> dict[str, Any]:
    """A model whose columns, categories, notes and license are hostile texts."""
    records = [{**dict.fromkeys(NAMES, index), "c": NAMES[index % 20], "y": index} for index in range(40)]
    data = {"kind": "rows", "records": records, "target": "y"}
    about = {"data": data, "model": {"kind": "linear_regression"}, "loss": {"name": "MSELoss"}, "split": None}
    license_ = "<script>](javascript:alert(1))|`"
    return train(http, "hostile-card", training={"epochs": 1}, notes="\n".join(NAMES), license=license_, **about)


def page_with_plots(http: httpx.Client, model: str) -> httpx.Response | None:
    """The page once its plots are drawn."""
    answer = http.get(card(model, ".html"), timeout=60)
    assert answer.status_code == 200, answer.text
    return answer if "<img " in answer.text else None


def card(model: str, suffix: str = "") -> str:
    return f"/v1/models/{model}/versions/1/card{suffix}"


def test_a_card_is_markdown_and_a_page(http: httpx.Client, line: dict[str, Any]) -> None:
    text = http.get(card("line"))
    assert text.headers["Content-Type"] == "text/markdown; charset=utf-8"
    assert text.text.startswith("# line, version 1\n")
    assert "| x | number | 0 to 0.78 |" in text.text and line["id"] in text.text
    assert "![Learning curve](plots/learning_curve.png)" in text.text and "plots/confusion.png" not in text.text
    made = until(lambda: page_with_plots(http, "line"), 300)
    assert made.headers["Content-Type"] == "text/html; charset=utf-8"
    assert made.headers["Content-Security-Policy"] == POLICY
    assert len(re.findall(r'<img src="data:image/png;base64,[\w+/]+=*" alt=', made.text)) == 7
    assert http.get(card("line"), headers={"Accept": "text/html,*/*;q=0.8"}).text == made.text
    assert http.get(card("line"), headers={"Accept": "text/html"}).headers["Content-Security-Policy"] == POLICY


@pytest.mark.parametrize(
    ("path", "accept", "status", "code"),
    [
        (card("line"), "image/png", 406, "not_acceptable"),
        (card("no-model"), "*/*", 404, "model_not_found"),
        ("/v1/models/line/versions/99/card.html", "*/*", 404, "version_not_found"),
        ("/v1/models/line/versions/none/lineage", "*/*", 404, "version_not_found"),
        ("/v1/models/Not..valid/versions/1/card", "*/*", 422, "invalid_name"),
    ],
)
def test_what_is_not_there_has_no_card(
    http: httpx.Client, line: dict[str, Any], path: str, accept: str, status: int, code: str
) -> None:
    answer = http.get(path, headers={"Accept": accept})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_hostile_texts_have_no_meaning_in_a_card(http: httpx.Client, hostile: dict[str, Any]) -> None:
    text, manifest = http.get(card("hostile-card")).text, http.get("/v1/models/hostile-card/versions/1").json()
    made = page(Subject(manifest, manifest["digest"], "hostile-card", 1, plots={"data": "data:image/png;base64,AAAA"}))
    links = re.findall(r"\]\(plots/\w+\.png\)", text)
    assert rendered(text).elements.keys() <= MARKDOWN | {"img"} and rendered(text).elements["img"] == len(links)
    read = Read(made)
    assert read.elements.keys() <= PAGES
    assert {name for name, _ in read.attributes if name.startswith("on")} == set()
    assert all(value.startswith("data:image/png;") for name, value in read.attributes if name == "src" and value)
    for each in (read, rendered(text)):
        assert "<script>](javascript:alert(1))|`" in each.words


def test_the_command_of_a_card_predicts(http: httpx.Client, hostile: dict[str, Any]) -> None:
    text = http.get(card("hostile-card")).text
    command = re.search(r"^(`{3,})sh\n(.*?)\n\1$", text, re.DOTALL | re.MULTILINE)
    assert command is not None
    words = shlex.split(command[2].replace("\\\n", ""))
    address, body = words[1].removeprefix("http://127.0.0.1:8000"), words[-1]
    answer = http.post(address, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    assert set(json.loads(body)["instances"][0]) == {*NAMES, "c"}


@pytest.mark.parametrize("license_", ["MIT", "Apache-2.0", "© Casa d’Oro, all rights reserved"])
def test_a_license_is_part_of_the_version(http: httpx.Client, license_: str) -> None:
    name = "licensed-" + re.sub(r"\W+", "-", license_.lower(), flags=re.ASCII).strip("-")
    job = train(http, name, training={"epochs": 0}, license=license_)
    assert job["spec"]["license"] == license_
    assert http.get(f"/v1/models/{name}/versions/1").json()["spec"]["license"] == license_
    assert license_ in http.get(card(name)).text


@pytest.mark.parametrize("license_", ["", " ", "a\nb", "MIT\u202e", "\0", "x" * 201, 3, ["MIT"]])
def test_a_license_is_a_short_text(http: httpx.Client, line: dict[str, Any], license_: object) -> None:
    answer = http.post("/v1/training-jobs/validate", json={**line["spec"], "license": license_})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_spec")
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/license"]


def test_a_spec_without_a_license_is_as_before(line: dict[str, Any]) -> None:
    assert "license" not in line["spec"]


# In bundles


@pytest.fixture(scope="module")
def bundle(http: httpx.Client, line: dict[str, Any]) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(http.get("/v1/models/line/versions/1/bundle").content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return target.getvalue()


def test_a_bundle_has_a_card_that_an_import_ignores(http: httpx.Client, bundle: dict[str, bytes]) -> None:
    assert bundle["card.md"].startswith(b"# Model card\n")
    digest = http.get("/v1/models/line/versions/1").json()["digest"]
    assert digest.encode() in bundle["card.md"]
    without = {name: data for name, data in bundle.items() if name != "card.md"}
    for number, members in enumerate((bundle, without, {**bundle, "card.md": b"# Another\n"}), 1):
        taken = http.post(f"/v1/models/carried-{number}/versions", content=packed(members), headers=ZIP)
        assert (taken.status_code, taken.json()["digest"]) == (201, digest)
        with zipfile.ZipFile(io.BytesIO(http.get(f"/v1/models/carried-{number}/versions/1/bundle").content)) as again:
            assert again.read("card.md") == bundle["card.md"]


@pytest.mark.parametrize(
    ("name", "data", "rule"),
    [
        ("card.md", b"x" * (2**20 + 1), "it may have at most 1048576 bytes"),
        ("card.html", b"x", "only manifest.json, signature.json, card.md and files/ belong into a bundle"),
        ("README.md", b"x", "only manifest.json, signature.json, card.md and files/ belong into a bundle"),
        ("files/card.md", b"x", "the manifest does not name it"),
        ("Card.md", b"x", "its name differs from another's in case alone"),
    ],
)
def test_any_other_file_is_refused(
    http: httpx.Client, bundle: dict[str, bytes], name: str, data: bytes, rule: str
) -> None:
    answer = http.post("/v1/models/refused-card/versions", content=packed({**bundle, name: data}), headers=ZIP)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_bundle")
    assert rule in answer.json()["detail"]


def test_a_damaged_card_is_refused(http: httpx.Client, bundle: dict[str, bytes]) -> None:
    damaged = packed(bundle).replace(b"# Model card\n", b"# Model cars\n")
    answer = http.post("/v1/models/refused-card/versions", content=damaged, headers=ZIP)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_bundle")
    assert "its checksum is wrong" in answer.json()["detail"]
