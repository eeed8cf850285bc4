"""A training's spec and table in this process, without a service."""

from pathlib import Path
from typing import Any

from service.workflow.data.data_kind import StoredDataset
from service.workflow.data.table import Table
from service.workflow.resolve import Resolved, resolve
from service.workflow.spec import parse


def resolved_with_table(value: dict[str, Any]) -> tuple[Resolved, Table]:
    """The resolved spec, and the columns that it learns from. The data are in the spec."""
    spec = parse(value)
    data, schema = spec.data.survey(_no_dataset)
    found = resolve(spec, schema)
    return found, data.load(lambda _: found.signature.wanted(), _no_dataset, Path()).table


def _no_dataset(name: str, version: int | None) -> StoredDataset:
    raise LookupError(name)
