"""Jobs and models as objects, of both clients, against the service itself."""

import asyncio
import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest
import torch

from modelwright import ApiError, AsyncClient, Client, JobFailed, ModelVersion, UnusableData, problems
from tests.api.conftest import LINE
from tests.client.rows import FLOWERS, IRIS, NAMES, as_records
from tests.harness.server import Server

EPOCHS = {"epochs": 3}


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Client]:
    with Client(server.url, transport=httpx.HTTPTransport()) as client:
        yield client


@pytest.fixture(scope="module")
def iris(client: Client) -> ModelVersion:
    """A model of classes, trained from a file."""
    return client.train(IRIS, target="species", model_name="client-iris", training=EPOCHS).wait()


@pytest.fixture(scope="module")
def houses(client: Client) -> ModelVersion:
    """A model of a number, with inputs of every type, trained from a DataFrame."""
    return client.train(table(40), target="price", model_name="client-houses", training=EPOCHS).wait()


def table(rows: int) -> pl.DataFrame:
    first = datetime.date(2020, 1, 1)
    return pl.DataFrame(
        {
            "area": [50.5 + number for number in range(rows)],
            "town": [["Köln", "Bonn"][number % 2] for number in range(rows)],
            "garden": [number % 3 == 0 for number in range(rows)],
            "built": [first + datetime.timedelta(days=number) for number in range(rows)],
            "price": [100.0 + 3 * number for number in range(rows)],
        }
    )


def test_from_a_table_to_production(client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "Our Flowers (2).csv"
    file.write_bytes(IRIS.read_bytes())
    job = client.train(file, target="species", training=EPOCHS)
    assert job.model_name == "our-flowers-2" and job.status in ("queued", "running")
    model = job.wait(progress=True)
    shown = capsys.readouterr().err.splitlines()
    assert "our-flowers-2: epoch 3 of 3" in shown[-2] and shown[-1] == "our-flowers-2: succeeded"
    assert (job.status, job.refresh() is job, job.result) == (
        "succeeded",
        True,
        {"model_name": model.name, "version": 1},
    )
    assert [event.type for event in job.events()][-1] == "status"
    assert job.metrics().epoch == [1, 2, 3] and len(job.metrics().train_loss) == 3
    assert [each.status for each in job.attempts()] == ["succeeded"]

    assert model.promote("production").version == 1
    assert [each.version for each in model.versions()] == [1]
    assert model.refresh().aliases == ["production"]
    assert model.parameters(statistics=False).total == sum(each.count for each in model.parameters().parameters)
    assert model.card().startswith("# our-flowers-2, version 1")
    row = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
    explained = model.explain(row, label="setosa")
    assert explained.explained == ["setosa"] and explained.attributions[0].keys() == row.keys()
    frame = pl.DataFrame([row, row])
    for rows in ([list(row.values())] * 2, frame, np.array([list(row.values())] * 2), frame.to_dict(as_series=False)):
        assert len(model.explain(rows).attributions) == 2
    assert model.lineage().job == {"id": job.id, "state": "kept"}
    assert list(model.state_dict("weight")) == ["weight"]

    again = client.train(client.dataset("our-flowers-2"), target="species", training={"epochs": 1}).wait()
    found = client.model("our-flowers-2")
    assert (again.version, found.latest, found.opened, found.version_count) == (2, 2, 1, 2)
    assert found.predict(FLOWERS) == model.predict(FLOWERS) != again.predict(FLOWERS)
    assert found.promote().version == 2 and found.refresh().opened == 2
    assert found.version("production").spec["training"]["epochs"] == 1


def test_rows_give_predictions_of_their_own_kind(iris: ModelVersion) -> None:
    listed = iris.predict(FLOWERS)
    labels = sorted(listed[0]["probabilities"])
    expected = np.array([[each["probabilities"][label] for label in labels] for each in listed], np.float32)
    assert iris.predict(as_records(FLOWERS)) == listed
    assert iris.predict(as_records(FLOWERS)[0])["label"] == listed[0]["label"]
    assert iris.predict(dict(zip(NAMES, zip(*FLOWERS, strict=True), strict=True))) == listed
    for kind in (np.float64, np.float32, np.dtype(">f8")):
        probabilities = iris.predict(np.array(FLOWERS, kind))
        assert isinstance(probabilities, np.ndarray) and probabilities == pytest.approx(expected, abs=1e-5)
    assert iris.predict(np.asfortranarray(FLOWERS)) == pytest.approx(expected, abs=1e-5)
    assert iris.predict(np.array(FLOWERS, np.float16)) == pytest.approx(expected, abs=1e-2)
    tensor = iris.predict(torch.tensor(FLOWERS, requires_grad=True))
    assert isinstance(tensor, torch.Tensor) and tensor.numpy() == pytest.approx(expected, abs=1e-5)
    assert iris.predict(torch.tensor(FLOWERS, dtype=torch.bfloat16)).numpy() == pytest.approx(expected, abs=5e-2)
    frame = iris.predict(pl.DataFrame(FLOWERS, NAMES, orient="row"))
    assert isinstance(frame, pl.DataFrame) and frame.columns == ["label", *(f"probability_{label}" for label in labels)]
    assert frame["label"].to_list() == [each["label"] for each in listed]
    assert frame.drop("label").to_numpy() == pytest.approx(expected, abs=1e-5)


def test_texts_dates_and_missing_values(houses: ModelVersion) -> None:
    frame = table(4).drop("price")
    expected = houses.predict(frame)["price"].to_list()
    assert houses.predict(frame.to_dicts()) == pytest.approx(expected, rel=1e-5)  # dates and booleans of Python
    assert houses.predict(frame.to_dict(as_series=False)) == pytest.approx(expected, rel=1e-5)
    assert houses.predict(frame.rows()) == pytest.approx(expected, rel=1e-5)
    missing = [{**frame.to_dicts()[0], "area": float("nan"), "town": None}]
    assert houses.predict(missing) == pytest.approx(
        houses.predict(frame.head(1).with_columns(area=None, town=None).cast({"area": pl.Float64, "town": pl.String}))[
            "price"
        ].to_list(),
        rel=1e-5,
    )
    [row] = [{name: np.float32(value) if name == "area" else value for name, value in frame.to_dicts()[0].items()}]
    assert houses.predict(row) == pytest.approx(expected[0], rel=1e-5)
    objects = np.array(frame.rows(), dtype=object)
    assert houses.predict(objects) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("data", [7, None, {1, 2}, object()])
def test_what_is_no_row(iris: ModelVersion, data: Any) -> None:
    with pytest.raises(UnusableData, match="Rows are a list of lists"):
        iris.predict(data)


def test_rows_that_do_not_fit(iris: ModelVersion) -> None:
    for value in ("5.1,3.5", b"x"):  # of a model with one input of texts or files
        with pytest.raises(problems.InvalidInstances):
            iris.predict(value)
    with pytest.raises(problems.InvalidInstances, match="takes 4") as caught:
        iris.predict([[1.0]])
    assert caught.value.errors[0][0] == "/instances/0"
    with pytest.raises(UnusableData, match=r"cannot be sent: object"):
        iris.predict([[object(), 1, 2, 3]])
    nothing: list[Any] = [[], np.empty((0, 4)), pl.DataFrame(schema=NAMES)]
    for empty in nothing:
        with pytest.raises(ApiError):
            iris.predict(empty)
    with pytest.raises(problems.InvalidJson):
        iris.predict([[float("inf"), 1, 2, 3]])
    with pytest.raises(ApiError):
        iris.predict(np.zeros((2, 2, 2)))
    with pytest.raises(ApiError, match="height"):
        iris.predict(pl.DataFrame({"height": [1.0]}))


def test_what_a_training_cannot_start_from(client: Client, tmp_path: Path) -> None:
    for data in (np.zeros((2, 2)), torch.zeros(2, 2), [[1, 2]], 7):
        with pytest.raises(UnusableData, match=r"whose columns have no names"):
            client.train(data, target="y")
    with pytest.raises(TypeError, match="target="):
        client.train("houses.csv")
    with pytest.raises(TypeError, match="target="):
        client.train(pl.DataFrame({"x": [1]}))
    with pytest.raises(TypeError, match="has its target in its data"):
        client.train(LINE, "y")
    broken = tmp_path / "spec.json"
    broken.write_text("{")
    with pytest.raises(Exception, match=r"spec\.json is not valid JSON"):
        client.train(broken)
    with pytest.raises(FileNotFoundError):
        client.train(tmp_path / "none.csv", target="price")
    with pytest.raises(problems.InvalidSpec) as caught:
        client.train(table(20), target="prize", model_name="client-prize")
    assert "/data/target" in dict(caught.value.errors)


def test_a_spec_and_its_file(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "line.json"
    file.write_text(httpx.Response(200, json=LINE).text)
    for data in (LINE, file, str(file)):
        job = client.train(data, model_name="client-line", training={"epochs": 1})
        assert (job.model_name, job.spec["training"]["epochs"]) == ("client-line", 1)
        model = job.wait()
    assert model.predict([[0.5]]) == pytest.approx(model.predict(np.array([0.5])), rel=1e-5)  # [rows] for one input


def test_a_job_is_paused_resumed_and_cancelled(client: Client) -> None:
    job = client.train({**LINE, "model_name": "client-long", "training": {"epochs": 10**7}})
    assert job.pause() is job and (job.status == "paused" or job.requested == "pause")
    while job.refresh().status != "paused":
        assert job.requested == "pause"
    assert job.resume().status == "queued"
    assert job.cancel().status == "cancelled" or job.requested == "cancel"
    with pytest.raises(JobFailed, match="cancelled"):
        job.wait()
    with pytest.raises(problems.IllegalTransition):
        job.pause()


def test_the_asynchronous_client_has_the_same_objects(server: Server) -> None:
    async def use() -> None:
        async with AsyncClient(server.url, transport=httpx.AsyncHTTPTransport()) as client:
            seen = list[str]()
            job = await client.train(table(30).to_dicts(), target="price", model_name="client-async", training=EPOCHS)
            model = await job.wait(progress=lambda event: seen.append(event.type))
            assert "metrics" in seen and job.status == "succeeded"
            assert [event.id async for event in job.events()] == sorted({event.id async for event in job.events()})
            assert (await job.metrics()).epoch == [1, 2, 3]
            frame = table(3)
            predicted = await model.predict(frame)
            assert isinstance(predicted, pl.DataFrame) and predicted.height == 3
            assert (await model.promote()).alias == "production"
            assert [each.version async for each in model.versions()] == [1]
            found = await client.model("client-async")
            assert await found.predict(frame.to_dicts()) == pytest.approx(predicted["price"].to_list(), rel=1e-5)
            assert (await (await found.refresh()).version()).version == 1
            with pytest.raises(problems.ModelNotFound):
                await client.model("client-none")

    asyncio.run(use())
