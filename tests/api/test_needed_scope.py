"""The scopes collected from the routes against the routes themselves: no request reaches a route with a lower scope
than it needs."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Match

from service.access.scopes import Scope
from service.api.middleware.scopes import CHANGING, RequiredScopes
from service.api.routing import Need, PredictRoute, needs
from service.app import ROUTERS, create_app
from service.settings import Settings
from service.startup import start_up

SCOPES = RequiredScopes(each.router for each in ROUTERS)
needed = SCOPES.needed
OPEN = {address.removeprefix("GET ") for address in SCOPES.addresses[Need(None)]}
ADDRESSES = [
    tuple(address.split(" "))
    for need, addresses in SCOPES.addresses.items()
    for address in addresses
    if need.scope in (Scope.PREDICT, Scope.TRAIN)
]


def routes(app: Any) -> Iterator[Any]:
    """Every route of the app, those of its routers too."""
    for route in app.routes:
        inner = getattr(route, "original_router", None)
        yield from routes(inner) if inner is not None else [route]


ROUTES = list(routes(create_app(start_up(Settings(home=Path("nowhere")))).framework))
TEMPLATES = sorted({route.path for route in ROUTES} | {path for _, path in ADDRESSES} | OPEN)
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "BREW"]
PART = st.one_of(
    st.sampled_from(["line", "1", "latest", "predictions", "versions", "aliases", "rollback", "infer", "ready", "index", "..",
                     ".", "%2e", "%2f", "a:predict", ":predict", "predict", "validate", "bundle", "keys", "audit", " ", ""]),
    st.text(min_size=1, max_size=8),
)  # fmt: skip
TAILS = ["", "/", "\n", "//", "/.", "/..", "?", "#", "%2f", ";", " ", "\x00", ":predict", "/predictions", "/infer"]


@st.composite
def paths(draw: st.DrawFn) -> str:
    """Paths like those of the routes, with arbitrary parts, prefixes and suffixes."""
    template = draw(st.sampled_from(TEMPLATES))
    path = re.sub(r"\{[\w:]+\}", lambda _: draw(PART), template)
    return (
        draw(st.sampled_from(["", "", "", "/", "/.", "//", "/v1/.."])) + path + draw(st.sampled_from(["", "", *TAILS]))
    )


def at_least(scope: Scope | None) -> int:
    return 0 if scope is None else scope


@given(st.sampled_from(METHODS), paths())
def test_no_route_is_reached_with_a_lower_scope(method: str, path: str) -> None:
    scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
    for route in ROUTES:
        if hasattr(route, "methods") and route.matches(dict(scope))[0] is Match.FULL:
            named = next(iter(route.methods - {"HEAD"})) if method == "HEAD" else method
            # A part may have characters that no name may have: it is still the same route.
            assert at_least(needed(method, path)[0]) >= at_least(needed(named, route.path)[0]), route.path


@given(st.sampled_from(METHODS), st.one_of(paths(), st.text(max_size=300)))
def test_unlisted_paths_need_admin(method: str, path: str) -> None:
    scope, _ = needed(method, path)
    routed_method = "GET" if method == "HEAD" else method
    known = any(
        routed_method == m and re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(p)), path) for m, p in ADDRESSES
    )
    assert (scope is None) == (path in OPEN and routed_method == "GET")
    assert scope is None or (scope is Scope.ADMIN) == (not known)


@given(st.sampled_from(METHODS), paths())
def test_head_needs_the_scope_of_get_and_changes_need_train_or_admin(method: str, path: str) -> None:
    assert needed("HEAD", path) == needed("GET", path)
    assert needed(method, path) == needed(method, path)
    scope, changes = needed(method, path)
    assert not changes or (method in CHANGING and scope in (Scope.TRAIN, Scope.ADMIN))


@given(
    st.sampled_from(METHODS),
    st.sampled_from([p for _, p in ADDRESSES if p != "/"]),
    st.sampled_from(["/", "//", "/./"]),
)
def test_extra_or_missing_slashes_lower_no_scope(method: str, template: str, more: str) -> None:
    path = re.sub(r"\{\w+\}", "x", template)
    for other in (f"/{path}", path + more, path.replace("/", "//"), path.removeprefix("/"), path.upper()):
        if other not in {p for _, p in ADDRESSES}:
            assert needed(method, other)[0] is Scope.ADMIN


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/v1/models/predictions"),
        ("DELETE", "/v1/models/line/versions/predictions"),
        ("PUT", "/v1/models/line/aliases/predictions"),
        ("DELETE", "/v1/models/line/predictions"),
        ("POST", "/v1/models/line/versions"),
        ("POST", "/v1/models/line/aliases/production/rollback"),
        ("PUT", "/v1/models/line/retention"),
        ("POST", "/v2/repository/models/line/load"),
        ("POST", "/v2/repository/models/line/unload"),
        ("POST", "/v2/repository/any/models/line/load"),
        ("DELETE", "/v1/datasets/iris"),
        ("GET", "/v1/keys"),
        ("GET", "/v1/audit"),
        ("POST", "/livez"),
        ("OPTIONS", "/livez"),
        ("GET", "/livez\n"),
        ("GET", "/livez/"),
    ],
)
def test_admin_routes(method: str, path: str) -> None:
    assert needed(method, path)[0] is Scope.ADMIN


def test_of_two_addresses_the_wider_scope_counts() -> None:
    router = APIRouter(route_class=PredictRoute)

    @router.get("/models/{name}")
    def show(name: str) -> None: ...

    @router.get("/models/secret")
    @needs(Scope.ADMIN)
    def secret() -> None: ...

    scopes = RequiredScopes([router])
    assert scopes.needed("GET", "/models/line")[0] is Scope.PREDICT
    assert scopes.needed("GET", "/models/secret")[0] is Scope.ADMIN


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH"])
def test_the_train_scope_allows_uploads(method: str) -> None:
    assert needed(method, "/v1/datasets/iris") == (Scope.TRAIN, True)


def test_long_paths_are_not_cached_and_get_the_same_scope() -> None:
    long = "/v1/models/" + "a" * 10_000
    assert needed("GET", long) == (Scope.PREDICT, False)
    assert needed("DELETE", long) == (Scope.ADMIN, True)


def test_every_route_has_a_scope_or_is_deliberately_admin() -> None:
    meant = {"/v1/keys", "/v1/keys/{key}", "/v1/audit"}
    admin = set()
    for route in ROUTES:
        for method in getattr(route, "methods", {"GET"}) - {"HEAD"}:
            if needed(method, route.path)[0] is Scope.ADMIN:
                admin.add((method, route.path))
    meant |= {"/v1/uploads", "/v1/uploads/{upload}"}
    assert {path for method, path in admin if method == "GET"} == meant - {"/v1/keys/{key}", "/v1/uploads"}
    changing = {(m, p) for m, p in admin if m != "GET" and p not in meant}
    warming = {("POST", f"/v2/repository/models/{{name}}/{what}") for what in ("load", "unload")}
    changing -= warming | {("POST", "/v1/models/{name}/versions")}
    assert all("aliases" in path or "retention" in path or method == "DELETE" for method, path in changing)
