"""Ten kinds of common files, over HTTP: uploaded unchanged, learned, and predicted from in the format of the file."""

import io
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest

from tests.harness.server import Server
from tests.workflow.corpus.packed import XLSX, Cell, gzipped, workbook

ROWS = 240
ASKED = 5
CSV = "text/csv"
Row = dict[str, Any]


def homes() -> list[Row]:
    """The rows, before each file writes them in its own way."""
    draw = random.Random(11)  # noqa: S311 - test data
    return [
        {
            "at": at,
            "size": round(draw.gauss(20, 2), 2),
            "age": round(draw.gauss(0, 1), 2),
            "place": draw.choice(["01067", "10115", "80331"]),
            "garden": draw.random() < 0.5,
            "sold": date(2020, 1, 1) + timedelta(days=draw.randrange(600)),
        }
        for at in range(ROWS)
    ]


# What each of these adds to the price.
WORTH: dict[str, Callable[[Row], float]] = {
    "size": lambda home: home["size"],
    "age": lambda home: -2 * home["age"],
    "place": lambda home: {"01067": -3.0, "10115": 1.0, "80331": 5.0}[home["place"]],
    "garden": lambda home: 3.0 * home["garden"],
    "sold": lambda home: (home["sold"] - date(2020, 1, 1)).days / 75,
}
HOMES = homes()
CITIES = {"01067": "Görlitz", "10115": "Köln", "80331": "München"}


@dataclass(frozen=True)
class Story:
    """A file, predictions of a model trained on it, and the expected results.

    Args:
        types: of columns, as a person would expect.
        body: some rows of the file without the target, in its format, with the headers of the request.
        instances: the same rows as JSON.
        least: the lowest metric on the test part.
    """

    name: str
    file: bytes
    target: str
    types: dict[str, str]
    body: bytes
    instances: Any
    media_type: str = CSV
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": CSV})
    reading: Row = field(default_factory=dict)
    metric: str = "r2"
    least: float = 0.9
    inputs: tuple[str, ...] = ()


def table(rows: Sequence[Sequence[str]], separator: str = ",", end: str = "\n") -> str:
    return "".join(separator.join(row) + end for row in rows)


def written(columns: dict[str, Callable[[Row], str]]) -> list[list[str]]:
    """The names, then each row, as text."""
    return [list(columns), *([write(home) for write in columns.values()] for home in HOMES)]


def without(rows: list[list[str]], name: str) -> list[list[str]]:
    """The names and the first few rows, without the target."""
    place = rows[0].index(name)
    return [row[:place] + row[place + 1 :] for row in rows[: ASKED + 1]]


def price(home: Row, *names: str) -> float:
    """The price of a home from these properties."""
    return round(sum(WORTH[name](home) for name in names), 2)


def priced(*names: str) -> Callable[[Row], str]:
    return lambda home: str(price(home, *names))


def comma(name: str) -> Callable[[Row], str]:
    return lambda home: str(home[name]).replace(".", ",")


def comma_priced(*names: str) -> Callable[[Row], str]:
    return lambda home: str(price(home, *names)).replace(".", ",")


def point(name: str) -> Callable[[Row], str]:
    return lambda home: str(home[name])


def some(name: str, missing: str) -> Callable[[Row], str]:
    """Missing in every ninth row, starting with the second."""
    return lambda home: missing if home["at"] % 9 == 1 else str(home[name])


def german_day(home: Row) -> str:
    return str(home["sold"].strftime("%d.%m.%Y"))


def semicolons() -> Story:
    rows = written(
        {
            "size": comma("size"),
            "age": comma("age"),
            "place": lambda home: CITIES[home["place"]],
            "price": comma_priced("size", "age", "place"),
        }
    )
    body = table(without(rows, "price"), ";", "\r\n").replace("\r\n", "\r\n\r\n", 3)  # an empty line is no row
    return Story(
        name="semicolons",
        file=table(rows, ";", "\r\n").encode(),
        target="price",
        types={"size": "number", "age": "number", "place": "category", "price": "number"},
        body=body.encode(),
        instances=[
            {"size": home["size"], "age": home["age"], "place": CITIES[home["place"]]} for home in HOMES[:ASKED]
        ],
        reading={"separator": ";", "decimal": ","},
    )


def missing_words() -> Story:
    rows = written(
        {
            "size": some("size", "NA"),
            "age": some("age", "NA"),
            "garden": point("garden"),
            "price": priced("size", "age", "garden"),
        }
    )
    instances = [{"size": home["size"], "age": home["age"], "garden": home["garden"]} for home in HOMES[:ASKED]]
    instances[1] |= {"size": "NA", "age": ""}
    return Story(
        name="missing-words",
        file=table(rows).encode(),
        target="price",
        types={"size": "number", "age": "number", "garden": "boolean", "price": "number"},
        body=table(without(rows, "price")).encode(),
        instances=instances,
        reading={"missing": ["NA"]},
        least=0.6,
    )


def german_days() -> Story:
    rows = written({"size": comma("size"), "sold": german_day, "price": comma_priced("size", "sold")})
    return Story(
        name="german-days",
        file=table(rows, ";").encode(),
        target="price",
        types={"size": "number", "sold": "datetime", "price": "number"},
        body=table(without(rows, "price"), ";").encode(),
        instances=[{"size": home["size"], "sold": german_day(home)} for home in HOMES[:ASKED]],
        reading={"date_formats": {"sold": "%d.%m.%Y"}},
    )


def answers_in_words() -> Story:
    rows = written(
        {
            "size": point("size"),
            "garden": lambda home: "Y" if home["garden"] else "N" if home["at"] % 9 else "NA",
            "place": lambda home: CITIES[home["place"]],
            "dear": lambda home: "yes" if price(home, "size", "garden", "place") > 22.5 else "no",
        }
    )
    body = without(rows, "dear")
    return Story(
        name="answers-in-words",
        file=table(rows).encode(),
        target="dear",
        types={"size": "number", "garden": "boolean", "place": "category", "dear": "boolean"},
        body=table(body).encode(),
        instances=[{"size": float(size), "garden": garden, "place": place} for size, garden, place in body[1:]],
        metric="accuracy",
        least=0.8,
    )


def windows_1252() -> Story:
    rows = written(
        {
            "Größe": comma("size"),
            "Stadt": lambda home: CITIES[home["place"]],
            "Preis in €": comma_priced("size", "place"),
        }
    )
    return Story(
        name="windows-1252",
        file=table(rows, ";", "\r\n").encode("cp1252"),
        target="Preis in €",
        types={"Größe": "number", "Stadt": "category", "Preis in €": "number"},
        body=table(without(rows, "Preis in €"), ";", "\r\n").encode("cp1252"),
        headers={"Content-Type": "text/csv; charset=windows-1252"},
        instances=[{"Größe": home["size"], "Stadt": CITIES[home["place"]]} for home in HOMES[:ASKED]],
        reading={"encoding": "windows-1252"},
    )


def excel() -> Story:
    names = ("size", "sold", "garden")
    cells: list[list[Cell]] = [[home[name] for name in names] + [price(home, *names)] for home in HOMES]
    rows = written({**{name: point(name) for name in names}, "price": priced(*names)})
    return Story(
        name="excel",
        file=workbook({"Homes": [[*names, "price"], *cells], "Notes": [["nothing to see here"]]}),
        target="price",
        types={"size": "number", "sold": "datetime", "garden": "boolean", "price": "number"},
        media_type=XLSX,
        body=table(without(rows, "price")).encode(),
        instances=[
            {"size": home["size"], "sold": str(home["sold"]), "garden": home["garden"]} for home in HOMES[:ASKED]
        ],
        reading={"sheet": "Homes"},
    )


def packed_tabs() -> Story:
    rows = written(
        {"size": point("size"), "age": point("age"), "place": point("place"), "price": priced("size", "age", "place")}
    )
    return Story(
        name="packed-tabs",
        file=gzipped(table(rows, "\t").encode()),
        target="price",
        types={"size": "number", "age": "number", "place": "category", "price": "number"},
        media_type="application/gzip",
        body=gzipped(table(without(rows, "price"), "\t").encode()),
        headers={"Content-Type": CSV, "Content-Encoding": "gzip"},
        instances=[{name: home[name] for name in ("size", "age", "place")} for home in HOMES[:ASKED]],
        reading={"separator": "\t"},
    )


def json_array() -> Story:
    names = ("size", "age", "garden", "sold")
    features = [{name: home[name] for name in names} | {"sold": str(home["sold"])} for home in HOMES]
    records = [row | {"price": price(home, *names)} for row, home in zip(features, HOMES, strict=True)]
    body = features[:ASKED]
    return Story(
        name="json-array",
        file=json.dumps(records).encode(),
        target="price",
        types={"size": "number", "age": "number", "garden": "boolean", "sold": "datetime", "price": "number"},
        media_type="application/json",
        body=json.dumps(body).encode(),  # a bare list, as the file is
        headers={"Content-Type": "application/json"},
        instances=body,
    )


def pandas_index() -> Story:
    rows = written({"": point("at"), "size": point("size"), "age": point("age"), "price": priced("size", "age")})
    return Story(
        name="pandas-index",
        file=table(rows).encode(),
        target="price",
        types={"column_1": "number", "size": "number", "age": "number", "price": "number"},
        body=table(without(rows, "price")).encode(),
        instances=[{"size": home["size"], "age": home["age"]} for home in HOMES[:ASKED]],
        inputs=("size", "age"),
    )


def zip_codes() -> Story:
    rows = written({"zip": point("place"), "size": point("size"), "price": priced("place", "size")})
    return Story(
        name="zip-codes",
        file=table(rows).encode(),
        target="price",
        types={"zip": "category", "size": "number", "price": "number"},
        body=table(without(rows, "price")).encode(),
        instances=[{"zip": home["place"], "size": home["size"]} for home in HOMES[:ASKED]],
    )


STORIES = [
    semicolons(),
    missing_words(),
    german_days(),
    answers_in_words(),
    windows_1252(),
    excel(),
    packed_tabs(),
    json_array(),
    pandas_index(),
    zip_codes(),
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_file_is_uploaded_learned_and_predicted_in_its_own_format(server: Server, story: Story) -> None:
    name = f"file-{story.name}"
    put = server.http.put(
        f"/v1/datasets/{name}", content=io.BytesIO(story.file), headers={"Content-Type": story.media_type}
    )
    assert put.status_code == 201, put.text
    uploaded = put.json()
    assert uploaded["rows"] == ROWS
    assert {column["name"]: column["type"] for column in uploaded["columns"]} == story.types
    assert {each: uploaded["reading"][each] for each in story.reading} == story.reading
    spec = {
        "model_name": name,
        "data": {"kind": "dataset", "dataset": name, "target": story.target},
        "model": {"kind": "mlp", "hidden": [16]},
        "training": {"epochs": 40, "batch_size": 32, "seed": 5},
        "optimizer": {"name": "AdamW", "lr": 0.02},
    }
    server.client.wait(server.client.train(spec)["id"])
    manifest = server.client.manifest(name, 1)
    learned, baseline = manifest["metrics"]["test"][story.metric], manifest["metrics"]["baseline"][story.metric]
    assert learned > max(story.least, baseline), manifest["metrics"]
    inputs = [each["name"] for each in manifest["signature"]["inputs"]]
    assert inputs == list(story.inputs or [each for each in story.types if each != story.target])

    path = f"/v1/models/{name}/predictions"
    own = server.http.post(path, content=story.body, headers=story.headers | {"Accept": "application/json"})
    assert own.status_code == 200, own.text
    usual = server.http.post(path, json={"instances": story.instances})
    assert usual.status_code == 200, usual.text
    assert "Unknown-Categories" not in own.headers
    assert "Unknown-Categories" not in usual.headers
    answers = own.json()["predictions"]
    assert len(answers) == ASKED
    assert answers == usual.json()["predictions"]
    if story.metric == "accuracy":
        assert {each["label"] for each in answers} == {"yes", "no"}
        assert all(set(each["probabilities"]) == {"yes", "no"} for each in answers)
    else:
        assert all(isinstance(each, float) for each in answers)
