"""A version of a data set, as the workflow reads it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from model_store import Store
from service.use_cases.attempt_store import DATA
from service.workflow.data.data_kind import StoredDataset
from service.workflow.data.schema import Schema


def find_dataset(store: Store, name: str, number: int | None) -> StoredDataset:
    """A version of a data set in the store, the newest one for None. Its file is checked when it is opened.

    Raises:
        NotFound, InvalidName, Corrupt: there is none, or it is damaged.
    """
    datasets = store.datasets
    version = datasets.latest(name) if number is None else datasets.get(name, number)
    return dataset_of(version.number, version.manifest, partial(datasets.local_file, version, DATA))


def dataset_of(
    number: int, manifest: Mapping[str, Any], file: Callable[[], AbstractContextManager[Path]]
) -> StoredDataset:
    """The version with this manifest."""
    return StoredDataset(
        version=number,
        schema=Schema.model_validate(manifest["schema"]),
        media_type=manifest["media_type"],
        digest=manifest["digest"],
        file=file,
    )
