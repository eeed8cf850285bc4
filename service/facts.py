"""What a process of the service knows about itself, and may show to administrators: no secret, path or address."""

import os
import platform
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urlsplit

from service import __version__
from service.settings import Settings

PACKAGES = ("torch", "numpy", "polars", "pydantic", "fastapi", "uvicorn", "sqlalchemy", "safetensors", "obstore")
SHOWN = (
    "workers",
    "slots",
    "threads",
    "stop_delay_seconds",
    "insecure",
    "keep_audit_days",
    "keep_events_days",
    "keep_jobs_days",
    "max_upload_bytes",
    "max_parameters",
    "max_model_bytes",
    "max_memory_bytes",
    "max_training_seconds",
    "checkpoint_seconds",
    "publish_patience_seconds",
    "request_memory_bytes",
    "warm_model_bytes",
    "store_cache_bytes",
    "light_predictions",
    "prediction_threads",
    "waiting_predictions",
    "default_model",
    "log_level",
    "access_log",
    "prediction_log",
    "prediction_log_bytes",
)


@dataclass(frozen=True)
class Facts:
    """See the module. `started_at`: seconds since 1970; `journal` and `store`: the kind of each, such as `sqlite` and `s3`."""

    started_at: float
    software: dict[str, str]
    journal: str
    store: str
    settings: dict[str, Any]


def facts_of(settings: Settings) -> Facts:
    """The facts of this process, which is taken to start now."""
    scheme = urlsplit(settings.store_url or "").scheme
    return Facts(
        started_at=time.time(),
        software=_software(),
        journal="sqlite" if settings.database_url is None else "postgresql",
        store=scheme if scheme not in ("", "file") else "folder",
        settings={name: getattr(settings, name) for name in SHOWN},
    )


def _software() -> dict[str, str]:
    found = {"modelwright": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # of an extra
            continue
    return found | {"system": f"{platform.system()} {platform.machine()}", "processors": str(os.cpu_count())}
