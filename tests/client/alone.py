"""Uses a service from an environment that has the client and httpx alone; prints what came of it as JSON."""

import asyncio
import json
import sys
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

import httpx

import modelwright
from modelwright import AsyncClient, Client, UnusableData


def blocking(url: str, table: str) -> object:
    """Trains a model of a table, and asks it."""
    with Client(url, transport=httpx.HTTPTransport()) as client:
        model = client.train(table, target="species", model_name="client-alone", training={"epochs": 2}).wait(
            progress=True
        )
        return model.predict([[5.1, 3.5, 1.4, 0.2]])[0]["label"]


async def awaited(url: str) -> object:
    """Asks it by the asynchronous client."""
    async with AsyncClient(url, transport=httpx.AsyncHTTPTransport()) as client:
        model = await client.model("client-alone")
        try:
            await model.predict(object())
        except UnusableData:
            return [each.version async for each in model.versions()]
    return None


if __name__ == "__main__":
    url, table = sys.argv[1:]
    found = {"label": blocking(url, table), "versions": asyncio.run(awaited(url))}
    found |= {"installed": sorted(each.name.lower() for each in distributions())}
    found |= {
        "not there": [name for name in ("torch", "numpy", "pandas", "service", "fastapi") if find_spec(name) is None]
    }
    found |= {"from": str(Path(modelwright.__file__).parent), "loaded": sorted(sys.modules)}
    print(json.dumps(found))  # noqa: T201 - for the test
