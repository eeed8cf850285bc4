"""Authorizes each request before it is routed, and gives it an id."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access.audit import Audit
from service.access.errors import AccessError, Forbidden, Unauthorized, UnknownKey
from service.access.keyring import Keyring
from service.access.keys import ApiKey
from service.access.scopes import Scope as KeyScope
from service.api.dependencies import CALLER
from service.api.dialects.registry import dialect_of
from service.api.middleware.audit import AuditedRequest
from service.api.middleware.browser_guard import check_browser
from service.api.problems import answer_for, answer_to
from service.api.security_headers import policy_of
from service.http_server.errors import CutOff
from service.telemetry.request import REQUEST_ID, request_id


class Authorize:
    """ASGI middleware.

    With keys, a request needs one with the scope of its method and path. Without keys, authentication is disabled, for clients on
    the loopback address. These include browsers on this machine: so Host must be the loopback address, and requests from pages of
    other sites must not change anything.

    Args:
        app: answers authorized requests.
        keyring: the keys.
        audit: the log of requests that may change something.
        needed: gives the scope that a method and path need, None for no key, and whether the request is audited.
        refused: is called after each refusal with the request, the status, and the seconds that it took.
        any_host: whether Host may be anything without keys.
    """

    def __init__(
        self,
        app: ASGIApp,
        keyring: Keyring,
        audit: Audit,
        *,
        needed: Callable[[str, str], tuple[KeyScope | None, bool]],
        refused: Callable[[Scope, int, float], None],
        any_host: bool = False,
    ) -> None:
        self._app = app
        self._needed = needed
        self._refused = refused
        self._keyring = keyring
        self._audit = audit
        self._any_host = any_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it."""
        if scope["type"] == "websocket":  # there are none here
            await send({"type": "websocket.close"})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, headers = time.perf_counter(), dict(scope["headers"])
        name = request_id(headers)
        REQUEST_ID.set(name)
        lines = ((b"request-id", name.encode()), policy_of(scope["path"]))
        started = False

        def reply(message: Message) -> Awaitable[None]:
            # Not a coroutine function: a coroutine of its own would cost more than all the rest.
            if message["type"] == "http.response.start":
                nonlocal started
                started = True
                message["headers"] = [*message.get("headers", ()), *lines]
            return send(message)

        try:
            await self._pass_on(scope, receive, reply, headers, began)
        except asyncio.CancelledError:  # by the server, when the time for a shutdown is over
            # A response that has started is cut off with its connection, so that the client detects that it is incomplete.
            if not started:
                await self._refuse(scope, receive, reply, CutOff(), began)

    async def _pass_on(
        self, scope: Scope, receive: Receive, reply: Send, headers: Mapping[bytes, bytes], began: float
    ) -> None:
        name = REQUEST_ID.get()
        need, changes = self._needed(scope["method"], scope["path"])
        key, refused = self.check(need, scope["method"], headers)
        scope[CALLER] = key
        scope.setdefault("state", {})["request_id"] = name  # for the access log, as is the key
        if key is not None:
            scope["state"]["key"] = key.name
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
        response = dialect_of(scope["path"]).refuse(answer_to(error))
        if isinstance(error, CutOff):
            response.headers["Connection"] = "close"
        await response(scope, receive, reply)
        self._refused(scope, response.status_code, time.perf_counter() - began)

    def check(
        self, need: KeyScope | None, method: str, headers: Mapping[bytes, bytes]
    ) -> tuple[ApiKey | None, AccessError | None]:
        """Verifies the key of a request.

        Args:
            need: the scope that the request needs; None if it needs no key.
            method: its HTTP method.
            headers: by name in lower case.

        Returns:
            The key, None if there is none, and the error if the request must be refused.
        """
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
