"""Which scope a request needs, by its method and path alone, before it is routed: collected from the routes. A path that no
route has needs `admin`."""

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

from fastapi import APIRouter
from fastapi.routing import APIRoute

from service.access.scopes import Scope
from service.api.routing import ADMIN, Need, need_of

# A call of Triton's clients that is not offered: its answer is 404 for any key
UNLISTED = ("POST /v2/repository/{repository}/index",)
CHANGING = ("POST", "PUT", "PATCH", "DELETE")
LONGEST = 256  # characters of paths that are cached


class RequiredScopes:
    """The scopes of all addresses.

    Args:
        routers: the routers of the application. Their routes carry what they need, see `service/api/routing.py`.
    """

    def __init__(self, routers: Iterable[APIRouter]) -> None:
        addresses = defaultdict[Need, list[str]](list)  # "GET /v1/models/{name}"; braces stand for one part of a path
        addresses[Need(Scope.PREDICT)] += UNLISTED
        for route in (route for router in routers for route in router.routes if isinstance(route, APIRoute)):
            addresses[need_of(route)] += [f"{method} {route.path_format}" for method in sorted(route.methods or ())]
        self.addresses = dict(addresses)
        # The widest scope first: of two addresses that a path fits, its scope is the one that is needed.
        ordered = sorted(addresses, key=lambda need: need.scope or 0, reverse=True)
        self._patterns = [(need, _pattern(addresses[need])) for need in ordered]
        self._cached = lru_cache(4096)(self._look_up)

    def needed(self, method: str, path: str) -> tuple[Scope | None, bool]:
        """The scope, None where no key is needed; and whether the request is audited, because it may change something."""
        return self._cached(method, path) if len(path) <= LONGEST else self._look_up(method, path)

    def _look_up(self, method: str, path: str) -> tuple[Scope | None, bool]:
        address = f"{'GET' if method == 'HEAD' else method} {path}"
        need = next((need for need, pattern in self._patterns if pattern.fullmatch(address)), ADMIN)
        return need.scope, need.audited and method in CHANGING and need.scope not in (None, Scope.PREDICT)


def _pattern(addresses: list[str]) -> re.Pattern[str]:
    parts = (re.split(r"(\{\w+\})", each) for each in addresses)
    return re.compile("|".join("".join("[^/]+" if p.startswith("{") else re.escape(p) for p in each) for each in parts))
