"""How people use the client, for checkers of types alone: mypy and pyright read this file, and nothing runs it."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, assert_type

from modelwright import AsyncClient, AsyncJob, AsyncModelVersion, Client, Job, Model, ModelVersion, Plot, problems
from modelwright.results import Alias, Column, Dataset, Event, Parameters, Predictions, Problem


def blocking(client: Client) -> None:
    """Each call of the synchronous client gives what it says."""
    job = client.train("houses.csv", target="price", training={"epochs": 5})
    assert_type(job, Job)
    assert_type(job.status, str)
    assert_type(job.refresh(), Job)
    assert_type(job.error, Problem | None)
    assert_type(job.events(), Iterator[Event])
    model = job.wait(progress=True)
    assert_type(model, ModelVersion)
    assert_type(model.version, int)
    assert_type(model.versions(), Iterator[ModelVersion])
    assert_type(model.promote("production"), Alias)
    assert_type(model.parameters(), Parameters)
    assert_type(model.plot("predictions"), Plot)
    assert_type(client.model("houses"), Model)
    assert_type(client.jobs(status="failed"), Iterator[Job])
    assert_type(client.upload_dataset("houses", "houses.csv"), Dataset)
    assert_type(client.dataset("houses").columns, list[Column])
    assert_type(client.predict("houses", [[1.0]]), Predictions)
    assert_type(client.predict("houses", [[1.0]])["predictions"], Any)
    try:
        client.model("houses")
    except problems.ModelNotFound as error:
        assert_type(error.errors, list[tuple[str, str]])


async def awaited(client: AsyncClient) -> None:
    """So does each call of the asynchronous one."""
    job = await client.train({"model_name": "line"})
    assert_type(job, AsyncJob)
    assert_type(job.events(), AsyncIterator[Event])
    assert_type(await job.cancel(), AsyncJob)
    model = await job.wait(progress=print)
    assert_type(model, AsyncModelVersion)
    assert_type(model.versions(), AsyncIterator[AsyncModelVersion])
    assert_type(await model.card("html"), str)
    async for each in client.jobs():
        assert_type(each, AsyncJob)
