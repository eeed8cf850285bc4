"""The Python client: every call of the HTTP API, synchronous and asynchronous, from one source.

    with Client("http://127.0.0.1:8000") as client:
        model = client.train("houses.csv", target="price").wait(progress=True)
        model.predict([{"area": 80, "rooms": 3}])

`AsyncClient` has the same methods: `await` those that return something, `async for` those that iterate.
"""

from modelwright import problems
from modelwright.access import Access
from modelwright.aliases import Aliases
from modelwright.dataset_files import DatasetFile
from modelwright.datasets import Datasets
from modelwright.drivers import Awaiting, Waiting
from modelwright.errors import (
    ApiError,
    JobFailed,
    ModelwrightError,
    SweepFailed,
    TransferFailed,
    UnexpectedAnswer,
    Unreachable,
    UnusableData,
    UnusableKey,
    UnusableName,
)
from modelwright.job import AsyncJob, Job
from modelwright.jobs import Jobs
from modelwright.model import AsyncModel, AsyncModelVersion, Model, ModelVersion
from modelwright.models import Models
from modelwright.plots import Plot
from modelwright.predictions import Predicting
from modelwright.sweep import AsyncSweep, Sweep
from modelwright.sweeps import Sweeps
from modelwright.transfers import Transfers
from modelwright.uploads import Uploads

__all__ = [
    "ApiError",
    "AsyncClient",
    "AsyncJob",
    "AsyncModel",
    "AsyncModelVersion",
    "AsyncSweep",
    "Client",
    "DatasetFile",
    "Job",
    "JobFailed",
    "Model",
    "ModelVersion",
    "ModelwrightError",
    "Plot",
    "Sweep",
    "SweepFailed",
    "TransferFailed",
    "UnexpectedAnswer",
    "Unreachable",
    "UnusableData",
    "UnusableKey",
    "UnusableName",
    "problems",
]


class Client(Jobs, Sweeps, Datasets, Models, Aliases, Predicting, Access, Uploads, Transfers, Waiting):
    """The synchronous client: each method blocks until the service has responded."""


class AsyncClient(Jobs, Sweeps, Datasets, Models, Aliases, Predicting, Access, Uploads, Transfers, Awaiting):
    """The asynchronous client, with the same methods."""
