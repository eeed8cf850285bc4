"""Which scope a request needs: decided on its method and path alone, before anything is routed. What does not stand here
needs `admin`."""

import re
from functools import lru_cache

from service.access.scopes import Scope

OPEN = frozenset({"/livez", "/readyz", "/ping", "/v2/health/live", "/v2/health/ready"})  # to GET and HEAD
# Addresses as the routes have them; a word in braces stands for one part of a path.
TABLE: dict[Scope, tuple[str, ...]] = {
    Scope.PREDICT: (
        "GET /",
        "GET /docs",
        "GET /static-offline-docs/{file}",
        "GET /openapi.json",
        "GET /metrics",
        "GET /v1/models",
        "GET /v1/models/{name}",
        "GET /v1/models/{name}/versions",
        "GET /v1/models/{name}/versions/{version}",
        "GET /v1/models/{name}/aliases",
        "GET /v1/models/{name}/aliases/{alias}",
        "GET /v1/models/{name}/aliases/{alias}/history",
        "GET /v1/models/{name}/predictions",
        "POST /v1/models/{name}/predictions",
        "GET /v1/models/{name}/versions/{version}/predictions",
        "POST /v1/models/{name}/versions/{version}/predictions",
        # SageMaker and MLflow
        "POST /invocations",
        # TF Serving and KServe v1
        "POST /v1/models/{name}:predict",
        "POST /v1/models/{name}/versions/{version}:predict",
        "POST /v1/models/{name}/labels/{label}:predict",
        "GET /v1/models/{name}/metadata",
        "GET /v1/models/{name}/versions/{version}/metadata",
        "GET /v1/models/{name}/labels/{label}",
        "GET /v1/models/{name}/labels/{label}/metadata",
        # OIP v2
        "GET /v2",
        "GET /v2/",
        "GET /v2/models",
        "GET /v2/models/stats",
        "GET /v2/models/{name}",
        "GET /v2/models/{name}/ready",
        "GET /v2/models/{name}/config",
        "GET /v2/models/{name}/stats",
        "POST /v2/models/{name}/infer",
        "GET /v2/models/{name}/versions/{version}",
        "GET /v2/models/{name}/versions/{version}/ready",
        "GET /v2/models/{name}/versions/{version}/config",
        "GET /v2/models/{name}/versions/{version}/stats",
        "POST /v2/models/{name}/versions/{version}/infer",
        "POST /v2/repository/index",
        "POST /v2/repository/{repository}/index",
    ),
    Scope.TRAIN: (
        "GET /v1/models/{name}/versions/{version}/parameters",
        "GET /v1/models/{name}/versions/{version}/state_dict",
        "GET /v1/models/{name}/versions/{version}/plots/{plot}",
        "GET /v1/models/{name}/versions/{version}/exports/{export}",
        "GET /v1/models/{name}/versions/{version}/bundle",
        "GET /v1/datasets",
        "GET /v1/datasets/{name}",
        "GET /v1/datasets/{name}/versions",
        "GET /v1/datasets/{name}/rows",
        "PUT /v1/datasets/{name}",
        "POST /v1/datasets/{name}",
        "PATCH /v1/datasets/{name}",
        "GET /v1/training-jobs",
        "POST /v1/training-jobs",
        "POST /v1/training-jobs/validate",
        "GET /v1/training-jobs/{job_id}",
        "GET /v1/training-jobs/{job_id}/attempts",
        "GET /v1/training-jobs/{job_id}/metrics",
        "GET /v1/training-jobs/{job_id}/events",
        "POST /v1/training-jobs/{job_id}/cancel",
        "POST /v1/training-jobs/{job_id}/pause",
        "POST /v1/training-jobs/{job_id}/resume",
    ),
}
CHANGING = ("POST", "PUT", "PATCH", "DELETE")
CHANGES_NOTHING = "/v1/training-jobs/validate"
LONGEST = 256  # characters of paths that are remembered


def _pattern(addresses: tuple[str, ...]) -> re.Pattern[str]:
    parts = (re.split(r"(\{\w+\})", each) for each in addresses)
    return re.compile("|".join("".join("[^/]+" if p.startswith("{") else re.escape(p) for p in each) for each in parts))


_PATTERNS = {scope: _pattern(addresses) for scope, addresses in TABLE.items()}


def needed(method: str, path: str) -> tuple[Scope | None, bool]:
    """The scope, None where no key is needed; and whether it may change something, which the audit log is told of."""
    return _remembered(method, path) if len(path) <= LONGEST else _looked_up(method, path)


def _looked_up(method: str, path: str) -> tuple[Scope | None, bool]:
    asked = f"{'GET' if method == 'HEAD' else method} {path}"
    if path in OPEN and asked.startswith("GET "):
        return None, False
    for scope, pattern in _PATTERNS.items():
        if pattern.fullmatch(asked):
            return scope, method in CHANGING and scope is not Scope.PREDICT and path != CHANGES_NOTHING
    return Scope.ADMIN, method in CHANGING


_remembered = lru_cache(4096)(_looked_up)
