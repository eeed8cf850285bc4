"""DataFrames of pandas, with pyarrow and without."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from modelwright import Client, ModelVersion
from tests.harness.server import Server

pandas: Any = pytest.importorskip("pandas")
pytest.importorskip("pyarrow")

# pandas decides when it is imported whether there is a pyarrow.
WITHOUT_PYARROW = """
import json, sys
sys.modules["pyarrow"] = None
import httpx, pandas
from modelwright import Client
with Client(sys.argv[1], transport=httpx.HTTPTransport()) as client:
    kinds = client.model("client-pandas")
    rows = {"area": [51.0, None, 70.5], "town": ["Köln", "Bonn", None], "open": [True, False, True]}
    answer = kinds.predict(pandas.DataFrame(rows, index=["a", "b", "c"]))
    print(json.dumps([list(answer.columns), list(answer.index), answer.values.tolist()]))
    table = pandas.DataFrame({0: range(30), "day": pandas.date_range("2024-01-01", periods=30), "price": range(100, 130)})
    client.train(table, target="price", model_name="client-csv", training={"epochs": 1}).wait()
"""


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Client]:
    with Client(server.url, transport=httpx.HTTPTransport()) as client:
        yield client


@pytest.fixture(scope="module")
def kinds(client: Client) -> ModelVersion:
    """A model of classes, whose names are texts that a spreadsheet would evaluate, or that pandas reads as missing."""
    towns, names = ["Köln", "Bonn"], ["=1+1", "NA "]
    rows = [
        {"area": 50.5 + each, "town": towns[each % 2], "open": each % 3 == 0, "kind": names[each % 2]}
        for each in range(40)
    ]
    return client.train(rows, target="kind", model_name="client-pandas", training={"epochs": 30}).wait()


def frame() -> Any:
    return pandas.DataFrame(
        {"area": [51.0, None, 70.5], "town": ["Köln", "Bonn", None], "open": [True, False, True]}, index=["a", "b", "c"]
    )


def test_a_data_frame_gives_a_data_frame_with_its_index(kinds: ModelVersion) -> None:
    answer = kinds.predict(frame())
    assert list(answer.index) == ["a", "b", "c"]
    assert list(answer.columns) == ["label", "probability_=1+1", "probability_NA"]
    rows = frame().astype(object).where(frame().notna(), None).to_dict("records")
    listed = kinds.predict(rows)
    assert list(answer["label"]) == [each["label"] for each in listed]
    assert list(answer["probability_=1+1"]) == pytest.approx(
        [each["probabilities"]["=1+1"] for each in listed], abs=1e-5
    )


def test_columns_of_mixed_objects_and_numbered_names(kinds: ModelVersion) -> None:
    mixed = frame().astype(object)
    mixed.loc["a", "area"] = "52"
    mixed.loc["b", "area"] = 53.0
    with pytest.raises(Exception, match="area"):
        kinds.predict(mixed)  # a text is no number, and the service says so
    with pytest.raises(Exception, match="0"):
        kinds.predict(pandas.DataFrame([[51.0, "Köln", True]]))


def test_a_data_frame_is_trained_on(client: Client) -> None:
    table = pandas.DataFrame(
        {0: range(30), "day": pandas.date_range("2024-01-01", periods=30), "price": range(100, 130)}
    )
    model = client.train(table, target="price", model_name="client-frame", training={"epochs": 2}).wait()
    assert {each["name"]: each["type"] for each in model.signature["inputs"]} == {"0": "number", "day": "datetime"}
    answer = model.predict(table.drop(columns="price").tail(2))
    assert list(answer.columns) == ["price"] and list(answer.index) == [28, 29]


def test_without_pyarrow(server: Server, kinds: ModelVersion) -> None:
    command = [sys.executable, "-c", WITHOUT_PYARROW, server.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 - our own
    assert done.returncode == 0, done.stderr
    columns, index, values = json.loads(done.stdout)
    answer = kinds.predict(frame())
    assert (columns, index) == (list(answer.columns), list(answer.index))
    assert [row[0] for row in values] == list(answer["label"])
    assert [row[1] for row in values] == pytest.approx(list(answer["probability_=1+1"]), abs=1e-5)
