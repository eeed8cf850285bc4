"""What a connection gives uvicorn while a body is being received whose request may be answered before it is whole."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.http_server.connection import Connection


class HalfClosing:
    """The transport of a request that may be answered before its body is whole: then it must not be closed at once."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self.write = connection.transport.write
        self.is_closing = connection.transport.is_closing

    def close(self) -> None:
        """Closes the connection, for writing only while a body is being received."""
        if self._connection.awaits_body:
            self._connection.half_close()
        else:
            self._connection.transport.close()


class Trailers(list[tuple[bytes, bytes]]):
    """Headers after a body. They are dropped: the request has started without them."""

    def append(self, _: tuple[bytes, bytes]) -> None:
        """Drops it."""
