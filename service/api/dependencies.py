"""The services that routes work with: opened by the application's lifespan, and passed to routes as a dependency."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from model_store import Bundles, Catalogue, Store
from service.access.audit import Audit
from service.access.keyring import Keyring
from service.access.keys import ApiKey
from service.api.holder import Holder
from service.api.pools import Pools
from service.api.schemas.model import LatestRow
from service.facts import Facts
from service.jobs.drift_counts import DriftCounts
from service.jobs.feed import Feed
from service.jobs.journal import Journal
from service.jobs.sweep_journal import SweepJournal
from service.model_reference import ModelReference
from service.serving.memory_budget import MemoryBudget
from service.serving.row_counter import RowCounter
from service.serving.warm_models import WarmModels
from service.signatures.signatures import Signatures
from service.telemetry.metrics import Metrics
from service.use_cases.artifacts import Artifacts
from service.use_cases.dataset_cells import Cells
from service.use_cases.draw_sweep import SweepPlots
from service.use_cases.prediction_log import PredictionLog
from service.use_cases.submit_training import Limits
from service.use_cases.upload_dataset import Surveys
from service.use_cases.uploads import Uploads
from service.use_cases.version_resolver import VersionResolver

if TYPE_CHECKING:
    from service.telemetry.traces import Traces

IS_HEAD = "modelwright.head"  # in the ASGI scope of a GET that is answered without its body
CALLER = "modelwright.caller"  # in the ASGI scope: the key that a request came with; None if it needed none


@dataclass(frozen=True)
class Services:
    """What a running application consists of."""

    store: Store
    catalogue: Catalogue[LatestRow]
    journal: Journal
    sweeps: SweepJournal
    slots: int  # trainings that run at a time
    feed: Feed
    wake: Callable[[], None]  # wakes the runner of trainings, in this process or another
    drain: Callable[[], None]  # ends long waits and starts no more trainings, before a stop; also from a signal handler
    warm: WarmModels
    row_counter: RowCounter
    drift_counts: DriftCounts  # of all processes
    current: VersionResolver
    default_model: ModelReference | None  # the model that `/invocations` predicts with
    temporary: Path
    plots: Artifacts
    sweep_plots: SweepPlots
    exports: Artifacts
    bundles: Bundles
    uploads: Uploads
    surveys: Surveys
    cells: Cells
    pools: Pools
    max_upload_bytes: int
    limits: Limits
    keyring: Keyring
    audit: Audit
    signatures: Signatures
    bodies: MemoryBudget
    facts: Facts
    prediction_log: PredictionLog
    metrics: Metrics
    traces: "Traces | None"
    exposition: Callable[[], Awaitable[bytes]]  # the body of `/metrics`; raises TimeoutError


async def services_of(request: Request) -> Services:
    """The services of the app that serves this request. A coroutine, so that FastAPI does not run it in a thread."""
    holder: Holder[Services] = request.app.state.services  # set by create_app
    return holder.get()


async def caller_of(request: Request) -> ApiKey | None:
    """The key that the request came with."""
    caller: ApiKey | None = request.scope[CALLER]
    return caller


Service = Annotated[Services, Depends(services_of)]
Caller = Annotated[ApiKey | None, Depends(caller_of)]


def key_id(caller: ApiKey | None) -> str | None:
    """The id of the key that a request came with; None if it needed none."""
    return None if caller is None else caller.id
