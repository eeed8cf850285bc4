"""The Python client: every call of the HTTP API, synchronous and asynchronous, from one source.

    with Client("http://127.0.0.1:8000") as client:
        job = client.wait(client.train(spec)["id"])
        client.predict(job["model_name"], [{"x": 0.5}])

`AsyncClient` has the same methods: `await` those that return something, `async for` those that iterate.
"""

from modelwright.cards import Cards
from modelwright.drivers import Awaiting, Waiting
from modelwright.errors import (
    ApiError,
    JobFailed,
    ModelwrightError,
    TransferFailed,
    UnexpectedAnswer,
    Unreachable,
    UnusableKey,
    UnusableName,
)
from modelwright.operations import Operations
from modelwright.transfers import Transfers
from modelwright.uploads import Uploads

__all__ = [
    "ApiError",
    "AsyncClient",
    "Client",
    "JobFailed",
    "ModelwrightError",
    "TransferFailed",
    "UnexpectedAnswer",
    "Unreachable",
    "UnusableKey",
    "UnusableName",
]


class Client(Operations, Cards, Uploads, Transfers, Waiting):
    """The synchronous client: each method blocks until the service has responded."""


class AsyncClient(Operations, Cards, Uploads, Transfers, Awaiting):
    """The asynchronous client, with the same methods."""
