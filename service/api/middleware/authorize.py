"""Authorizes each request before it is routed, and gives it an id."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access.audit import Audit
from service.access.errors import AccessError, Forbidden, Unauthorized, UnknownKey
from service.access.keyring import Keyring
from service.access.keys import ApiKey
from service.access.loopback import is_loopback
from service.access.scopes import Scope as KeyScope
from service.api.dependencies import CALLER
from service.api.dialects.registry import dialect_of
from service.api.middleware.audit import AuditedRequest
from service.api.middleware.browser_guard import check_browser
from service.api.middleware.cross_origin import CrossOrigin
from service.api.middleware.proxies import Client, Proxies
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
        answered: is called after each response that is made here with the request, the status, and the seconds that it took.
        any_host: whether Host may be anything without keys, and the client anywhere.
        cross_origin: the origins whose pages may call the service.
        proxies: that are trusted.
    """

    def __init__(
        self,
        app: ASGIApp,
        keyring: Keyring,
        audit: Audit,
        *,
        needed: Callable[[str, str], tuple[KeyScope | None, bool]],
        answered: Callable[[Scope, int, float], None],
        any_host: bool = False,
        cross_origin: CrossOrigin | None = None,
        proxies: Proxies | None = None,
    ) -> None:
        self._app = app
        self._needed = needed
        self._answered = answered
        self._keyring = keyring
        self._audit = audit
        self._any_host = any_host
        self._cross_origin = cross_origin or CrossOrigin()
        self._proxies = proxies or Proxies()

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
        lines = ((b"request-id", name.encode()), policy_of(scope["path"]), *self._cross_origin.lines(headers))
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
        if (preflight := self._cross_origin.preflight(scope["method"], headers)) is not None:
            await self._answer(preflight, scope, receive, reply, began)
            return
        need, changes = self._needed(scope["method"], scope["path"])
        peer = scope.get("client")
        if self._proxies.trusts(peer):
            forwarded_for = (value for name, value in scope["headers"] if name == b"x-forwarded-for")
            scope["client"] = self._proxies.client(peer, forwarded_for)
            scope["scheme"] = self._proxies.scheme(peer, headers)
        key, refused = self.check(need, scope["method"], headers, peer)
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
        await self._answer(response, scope, receive, reply, began)

    async def _answer(self, response: Response, scope: Scope, receive: Receive, reply: Send, began: float) -> None:
        await response(scope, receive, reply)
        self._answered(scope, response.status_code, time.perf_counter() - began)

    def check(
        self, need: KeyScope | None, method: str, headers: Mapping[bytes, bytes], peer: Client
    ) -> tuple[ApiKey | None, AccessError | None]:
        """Verifies the key of a request.

        Args:
            need: the scope that the request needs; None if it needs no key.
            method: its HTTP method.
            headers: by name in lower case.
            peer: who has connected: a client or a proxy.

        Returns:
            The key, None if there is none, and the error if the request must be refused.
        """
        if need is None:
            return None, None
        if not self._keyring.on:
            return None, self._check_without_keys(method, headers, peer)
        given = headers.get(b"authorization")
        key = self._keyring.verify(given)
        if key is None:
            return None, Unauthorized() if given is None else UnknownKey()
        if key.level < need:
            return key, Forbidden(f"This needs a key with the scope {need.word}; this one has {key.level.word}.")
        return key, None

    def _check_without_keys(self, method: str, headers: Mapping[bytes, bytes], peer: Client) -> AccessError | None:
        if self._proxies.trusts(peer):
            client = self._proxies.client(peer, [headers.get(b"x-forwarded-for", b"")])
            if not self._any_host and client is not None and not is_loopback(client[0]):
                return Forbidden(
                    "This service has no keys and answers its own machine only. Make a key: modelwright keys create."
                )
            headers = {**headers, b"host": self._proxies.host(peer, headers)}
        return check_browser(method, headers, any_host=self._any_host, allows=self._cross_origin.allows)
