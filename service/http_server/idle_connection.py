"""A connection before its first byte. It has no parser and takes next to no memory, so that thousands of them cost little."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from uvicorn.server import ServerState

from service.http_server.connection import Connection, shared_by


class IdleConnection(asyncio.Protocol):
    """The protocol of a connection until its first byte; then `begin` makes the one that takes its place."""

    __slots__ = ("_begin", "_connections", "_timeouts", "_transport")
    _transport: asyncio.Transport

    def __init__(self, *, begin: Callable[..., Connection], server_state: ServerState, **others: Any) -> None:
        self._begin = partial(begin, server_state=server_state, **others)
        self._connections: set[Any] = server_state.connections
        self._timeouts, _ = shared_by(server_state, asyncio.get_running_loop())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Starts the time limit of the first byte, or refuses the connection if there are too many."""
        self._transport = transport  # type: ignore[assignment]
        self._connections.add(self)
        if len(self._connections) > self._timeouts.most:
            self._replace().refuse_surplus()
        else:
            self._timeouts.add_idle(self)

    def data_received(self, data: bytes) -> None:
        """Passes the first bytes to the new protocol."""
        self._replace().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Removes the connection from the server's."""
        self._timeouts.remove_idle(self)
        self._connections.discard(self)

    def shutdown(self) -> None:
        """Shuts the new protocol down: a request that arrives at this moment is still answered."""
        self._replace().shutdown()

    def close_idle(self) -> None:
        """Closes the connection."""
        self._transport.close()

    def _replace(self) -> Connection:
        self.connection_lost(None)
        connection = self._begin()
        self._transport.set_protocol(connection)
        connection.connection_made(self._transport)
        return connection
