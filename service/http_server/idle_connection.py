"""Silence: a connection on which nothing has come yet. It has no parser, and hardly anything else: thousands of them shall cost
those who are answered as little as can be."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from uvicorn.server import ServerState

from service.http_server.connection import Connection, shared_by


class Silence(asyncio.Protocol):
    """Until the first byte. Then the connection begins, as if it had just been made."""

    __slots__ = ("_begin", "_connections", "_looks", "_transport")
    _transport: asyncio.Transport

    def __init__(self, *, begin: Callable[..., Connection], server_state: ServerState, **others: Any) -> None:
        self._begin = partial(begin, server_state=server_state, **others)
        self._connections: set[Any] = server_state.connections
        self._looks, _ = shared_by(server_state, asyncio.get_running_loop())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there; one that is too many has to be told so."""
        self._transport = transport  # type: ignore[assignment]
        self._connections.add(self)
        if len(self._connections) > self._looks.most:
            self._end().find_no_place()
        else:
            self._looks.silent(self)

    def data_received(self, data: bytes) -> None:
        """The first bytes."""
        self._end().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """There is nobody any more."""
        self._looks.broken(self)
        self._connections.discard(self)

    def shutdown(self) -> None:
        """The server stops. What has come in this moment is answered."""
        self._end().shutdown()

    def end_silence(self) -> None:
        """It has lasted too long."""
        self._transport.close()

    def _end(self) -> Connection:
        self.connection_lost(None)
        connection = self._begin()
        self._transport.set_protocol(connection)
        connection.connection_made(self._transport)
        return connection
