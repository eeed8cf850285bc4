"""Inspect the tensors of a version without loading its model: by its summary, and by ranges of its file."""

import asyncio
import logging
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import torch
from pydantic import ValidationError

from model_store import Store, Version
from model_store.errors import StoreError, VersionCorrupt
from service.use_cases.artifacts import Artifact, ArtifactFailed, Artifacts, make_in_child
from service.use_cases.attempt_store import STATE_DICT, TENSORS
from service.use_cases.open_model import signature_of
from service.workflow import inspection
from service.workflow.errors import InvalidData, InvalidRows, InvalidSpec, NotAvailable
from service.workflow.inspection import TensorSummary
from service.workflow.models import plug_ins
from service.workflow.spec import parse_resolved
from service.workflow.spec_base import nearest
from service.workflow.tensor_file import from_bytes
from service.workflow.tensor_header import TensorHeader, read_header

MOST_SECONDS = 600
MOST_ROWS_BYTES = 16 * 2**20  # of a tensor, in one answer
SUFFIX = ".json"

log = logging.getLogger(__name__)


class SummaryFailed(ArtifactFailed):
    """The statistics of the parameters could not be computed."""


def parameters(
    store: Store, version: Version, *, statistics: bool, summary: TensorSummary | None = None
) -> dict[str, Any] | None:
    """The parameters of a version, as `inspection.parameters` shows them. None if the statistics are wanted, and have to be
    computed first: the version is of an earlier Modelwright.

    Raises:
        VersionCorrupt: the header of its tensors is damaged.
        VersionNotFound: it was deleted.
    """
    summary = summary or _kept_summary(store, version)
    header = _header(store, version, summary)
    if summary is not None:
        return inspection.parameters(header, summary.parameters, statistics=statistics)
    if statistics:
        return None
    try:
        spec = parse_resolved({**version.manifest["spec"], "model_name": version.name})
        listed = inspection.parameters_of(spec, signature_of(version), header)
    except (InvalidData, InvalidSpec, KeyError) as error:
        raise _corrupt(version, "its manifest and its state_dict do not make a model") from error
    return inspection.parameters(header, listed, statistics=False)


async def summarize(artifacts: Artifacts, store: Store, version: Version) -> TensorSummary:
    """Computes the summary of a version of an earlier Modelwright in a child process, once for all requests that wait for it, and
    keeps it beside the version.

    Raises:
        VersionCorrupt: its tensors are not what was published.
        ArtifactFailed: it could not be computed.
        TooManyArtifacts: too many others are in progress.
    """
    make = partial(_summarize, store, version)
    path = await artifacts.get(store, Artifact(version, "summary", (SUFFIX,)), SUFFIX, make)
    return await asyncio.to_thread(_keep, store, version, path)


def rows(store: Store, version: Version, name: str, first: int, last: int) -> torch.Tensor:
    """The rows of a tensor from `first` up to `last`, which is excluded. Only they are read; their bytes are not checked.

    Raises:
        NotAvailable: there is no such tensor.
        InvalidRows: it has no such rows, or they are more than `MOST_ROWS_BYTES`.
        VersionCorrupt: the header of the tensors is damaged, or their file was cut off.
        VersionNotFound: the version was deleted.
    """
    tensors = _header(store, version, _kept_summary(store, version)).tensors
    if name not in tensors:
        raise NotAvailable(f"there is no such tensor; {nearest(name, tensors)}")
    if not tensors[name].shape:
        raise InvalidRows("this tensor is a single value and has no rows; without `rows` it is shown")
    count = tensors[name].shape[0]
    if not first <= last <= count:
        raise InvalidRows(f"this tensor has {count} rows; expected two numbers from 0 to {count}, in order")
    place = tensors[name].rows(first, last)
    if place.size > MOST_ROWS_BYTES:
        most = MOST_ROWS_BYTES * (last - first) // place.size
        raise InvalidRows(f"expected at most {most} rows of this tensor at a time: {MOST_ROWS_BYTES} bytes")
    return from_bytes(place, store.models.read_range(version, STATE_DICT, place.start, place.stop))


def _header(store: Store, version: Version, summary: TensorSummary | None) -> TensorHeader:
    """Compared with the summary, if there is one."""
    size = version.file(STATE_DICT)["bytes"]
    try:
        header = read_header(partial(store.models.read_range, version, STATE_DICT), size)
    except InvalidData as error:
        raise _corrupt(version, f"is not a safetensors file: {error}") from error
    if summary is not None and header.sha256 != summary.header:
        raise _corrupt(version, "does not have the header that was published")
    return header


def _kept_summary(store: Store, version: Version) -> TensorSummary | None:
    """What this software cannot read counts as missing."""
    found = store.models.summaries.find(version, TENSORS)
    try:
        return None if found is None else TensorSummary.model_validate(found)
    except ValidationError:
        return None


def _keep(store: Store, version: Version, path: Path) -> TensorSummary:
    try:
        summary = TensorSummary.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise SummaryFailed from error
    try:
        store.models.summaries.keep(version, TENSORS, summary.model_dump())
    except StoreError:  # the next request computes it again
        log.warning("a summary of %s, version %d, cannot be kept", version.name, version.number, exc_info=True)
    return summary


async def _summarize(store: Store, version: Version, folder: Path) -> None:
    with ExitStack() as stack:
        path = await asyncio.to_thread(stack.enter_context, store.models.local_file(version, STATE_DICT))
        request = {
            "spec": {**version.manifest["spec"], "model_name": version.name},
            "signature": version.manifest["signature"],
            "state_dict": str(path),
            "kinds": plug_ins(),
        }
        module = "service.workflow.summarize"
        await make_in_child(module, orjson.dumps(request), folder, most_seconds=MOST_SECONDS, error=SummaryFailed)


def _corrupt(version: Version, reason: str) -> VersionCorrupt:
    return VersionCorrupt(version.name, version.number, STATE_DICT, reason)
