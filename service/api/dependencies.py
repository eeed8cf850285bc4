"""The parts that routes work with, put together in `service/app.py` and reached through the request."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from model_store import Store
from service.access.audit import Audit
from service.access.keyring import Keyring
from service.jobs.feed import Feed
from service.jobs.journal import Journal
from service.serving.memory_budget import MemoryBudget
from service.serving.warm_models import WarmModels
from service.use_cases.artifacts import Artifacts
from service.use_cases.current_versions import CurrentVersions
from service.use_cases.submit_training import Limits
from service.use_cases.upload_dataset import Surveys


@dataclass(frozen=True)
class Parts:
    """What the service is made of."""

    store: Store
    journal: Journal
    feed: Feed
    wake: Callable[[], None]  # whoever runs trainings, in this process or another
    warm: WarmModels
    current: CurrentVersions
    temporary: Path
    plots: Artifacts
    exports: Artifacts
    surveys: Surveys
    max_upload_bytes: int
    limits: Limits
    keyring: Keyring
    audit: Audit
    bodies: MemoryBudget


async def parts_of(request: Request) -> Parts:
    """The parts of the app that serves this request. It waits for nothing, and so is no work for a thread."""
    parts: Parts = request.app.state.parts
    return parts


Service = Annotated[Parts, Depends(parts_of)]
