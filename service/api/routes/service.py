"""What the service is."""

import os
import time
from datetime import UTC, datetime

from fastapi import APIRouter

from model_store.clock import rfc3339
from service import __version__
from service.access.scopes import WORDS, Scope
from service.api.dependencies import Caller, Service, Services
from service.api.problems import PROBLEMS
from service.api.routing import PredictRoute
from service.api.schemas.service import Administration, ServiceDescription

router = APIRouter(prefix="/v1/service", tags=["service"], responses=PROBLEMS, route_class=PredictRoute)

MOST_WARM_MODELS = 200  # that are listed


@router.get("", summary="Describe the service")
def show(service: Service, caller: Caller) -> ServiceDescription:
    """Versions, and what the caller may do; with the scope `admin` also memory and settings, of the process that answers."""
    level = Scope.ADMIN if caller is None else caller.level
    return {
        "name": "modelwright",
        "version": __version__,
        "software": service.facts.software,
        "keys_required": service.keyring.on,
        "key": None if caller is None else caller.name,
        "scopes": [word for word, scope in WORDS.items() if scope <= level],
        "administration": _administration(service) if level is Scope.ADMIN else None,
    }


def _administration(service: Services) -> Administration:
    facts, warm = service.facts, service.warm.newest(MOST_WARM_MODELS)
    return {
        "workers": facts.settings["workers"],
        "process": os.getpid(),
        "started_at": rfc3339(datetime.fromtimestamp(facts.started_at, UTC)),
        "uptime_seconds": round(max(0.0, time.time() - facts.started_at), 1),
        "warm_models": [
            {"versions": sorted(f"{each.name}@{each.number}" for each in versions), "bytes": size}
            for versions, size in warm
        ],
        "warm_model_count": len(service.warm),
        "warm_model_bytes": service.warm.bytes,
        "journal": facts.journal,
        "store": facts.store,
        "settings": facts.settings,
    }
