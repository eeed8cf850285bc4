"""The edge: who may ask is decided here, before anything is routed, and every request gets its id."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access.audit import Audit
from service.access.errors import AccessError, Forbidden, Unauthorized, UnknownKey
from service.access.keyring import Keyring
from service.access.keys import ApiKey
from service.access.scopes import Scope as KeyScope
from service.api.dependencies import CALLER
from service.api.dialects.registry import spoken_at
from service.api.middleware.audit import AuditedRequest
from service.api.middleware.browser_guard import check_browser
from service.api.predictions.fast_path import Answer, Asked, Exchange
from service.api.problems import answer_for, answer_to
from service.api.security_headers import PAGES, POLICY
from service.http_server.errors import CutOff
from service.telemetry.request import REQUEST_ID, request_id


class Edge:
    """An ASGI application around another.

    With keys, a request needs one with the scope of its method and path. Without any, whoever reaches the loopback address
    may do everything, and what needs a guard is a browser on this machine: the Host must be the loopback, too, and
    what changes something must not come from another site's page.

    Args:
        app: what answers.
        keyring: the keys.
        audit: where changes, and attempts at them, are written down.
        needed: the scope that a method and path need, None for no key, and whether the request is audited.
        asked: what knows the paths of predictions.
        short: what answers predictions the short way.
        told: is told of what was refused here: the request, the answer's status, and the seconds that it took.
        any_host: without keys, let Host be what it likes.
    """

    def __init__(
        self,
        app: ASGIApp,
        keyring: Keyring,
        audit: Audit,
        *,
        needed: Callable[[str, str], tuple[KeyScope | None, bool]],
        asked: Callable[[str], Asked | None],
        short: Answer,
        told: Callable[[Scope, int, float], None],
        any_host: bool = False,
    ) -> None:
        self._app = app
        self.asked = asked
        self._short = short
        self._needed = needed
        self._told = told
        self._keyring = keyring
        self._audit = audit
        self._any_host = any_host

    def short(self, exchange: Exchange) -> bool:
        """Whether a prediction that may be asked is answered the short way. What may not be is refused by the long one."""
        exchange.caller, refused = self._let_in(KeyScope.PREDICT, "POST", exchange.headers)
        if refused is not None:
            return False
        exchange.request_id = request_id(exchange.headers).encode()
        return self._short(exchange)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what may be asked, refuses the rest."""
        if scope["type"] == "websocket":  # there is nothing here for one
            await send({"type": "websocket.close"})
            return
        if scope["type"] != "http" or CALLER in scope:
            await self._app(scope, receive, send)
            return
        began, headers = time.perf_counter(), dict(scope["headers"])
        name = request_id(headers)
        REQUEST_ID.set(name)
        told = ((b"request-id", name.encode()), PAGES.get(scope["path"], POLICY))
        started = False

        def reply(message: Message) -> Awaitable[None]:
            # No coroutine of its own: that costs more than all else here.
            if message["type"] == "http.response.start":
                nonlocal started
                started = True
                message["headers"] = [*message.get("headers", ()), *told]
            return send(message)

        try:
            await self._pass_on(scope, receive, reply, headers, began)
        except asyncio.CancelledError:  # by the server, at the end of the time that a stop may take
            if (
                not started
            ):  # else the connection closes in the middle of the answer, which cannot be mistaken for a whole one
                await self._refuse(scope, receive, reply, CutOff(), began)

    async def _pass_on(
        self, scope: Scope, receive: Receive, reply: Send, headers: Mapping[bytes, bytes], began: float
    ) -> None:
        name = REQUEST_ID.get()
        need, changes = self._needed(scope["method"], scope["path"])
        key, refused = self._let_in(need, scope["method"], headers)
        scope[CALLER] = key
        _describe(scope, name, key)
        if refused is None and not changes:
            await self._app(scope, receive, reply)
            return
        audited = AuditedRequest(self._audit, scope, key or (None if self._keyring.on else "anonymous"), name)
        if refused is None:
            await audited.answered_by(self._app, scope, receive, reply)
            return
        if changes:
            audited.refused(answer_for(refused)[0])
        await self._refuse(scope, receive, reply, refused, began)

    async def _refuse(self, scope: Scope, receive: Receive, reply: Send, error: Exception, began: float) -> None:
        response = spoken_at(scope["path"]).refuse(_refusal(error))
        await response(scope, receive, reply)
        self._told(scope, response.status_code, time.perf_counter() - began)

    def _let_in(
        self, need: KeyScope | None, method: str, headers: Mapping[bytes, bytes]
    ) -> tuple[ApiKey | None, AccessError | None]:
        if need is None:
            return None, None
        if not self._keyring.on:
            return None, check_browser(method, headers, any_host=self._any_host)
        given = headers.get(b"authorization")
        key = self._keyring.verify(given)
        if key is None:
            return None, Unauthorized() if given is None else UnknownKey()
        if key.level < need:
            return key, Forbidden(f"This needs a key with the scope {need.word}; this one has {key.level.word}.")
        return key, None


def _describe(scope: Scope, request_id: str, key: ApiKey | None) -> None:
    """For the access log: which request it is, and whose."""
    state = scope.setdefault("state", {})
    state["request_id"] = request_id
    if key is not None:
        state["key"] = key.name


def _refusal(error: Exception) -> Response:
    response = answer_to(error)
    if isinstance(error, CutOff):
        response.headers["Connection"] = "close"
    if isinstance(error, Unauthorized):
        response.headers["WWW-Authenticate"] = (
            'Bearer error="invalid_token"' if isinstance(error, UnknownKey) else "Bearer"
        )
    return response
