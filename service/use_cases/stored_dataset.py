"""A version of a data set in the store, as the workflow reads it."""

from functools import partial

from model_store import Store
from service.workflow.data.data_kind import StoredDataset
from service.workflow.data.schema import Schema

DATA = "data"  # the uploaded file in a version of a data set


def find_dataset(store: Store, name: str, number: int | None) -> StoredDataset:
    """A version of a data set, the newest one for None. Its file is checked when its path is requested.

    Raises:
        NotFound, InvalidName, Corrupt: there is none, or it is damaged.
    """
    datasets = store.datasets
    version = datasets.latest(name) if number is None else datasets.get(name, number)
    manifest = version.manifest
    return StoredDataset(
        version=version.number,
        schema=Schema.model_validate(manifest["schema"]),
        media_type=manifest["media_type"],
        digest=manifest["digest"],
        file=partial(datasets.path, version, DATA),
    )
