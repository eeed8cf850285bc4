"""What the service is: its software, its processes, its settings."""

from typing import Any

from typing_extensions import TypedDict

from service.api.schemas.answer import closed


@closed
class WarmModel(TypedDict):
    """A model in memory. `versions` are those that it answers for, such as `houses@3`; they share one manifest."""

    versions: list[str]
    bytes: int


@closed
class Administration(TypedDict):
    """What is shown only to keys with the scope `admin`.

    `workers` processes answer requests. `process` is the id of the one that has answered this; each has its own `warm_models`,
    the most recently used first, 200 at most.
    """

    workers: int
    process: int
    started_at: str
    uptime_seconds: float
    warm_models: list[WarmModel]
    warm_model_count: int
    warm_model_bytes: int
    journal: str
    store: str
    settings: dict[str, Any]


@closed
class ServiceDescription(TypedDict):
    """The service. `key` is the name of the caller's key, null without keys; `scopes` are what the caller may do."""

    name: str
    version: str
    software: dict[str, str]
    keys_required: bool
    key: str | None
    scopes: list[str]
    administration: Administration | None
