"""The transport and the headers that uvicorn gets for a request that may be answered before its body is complete."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.http_server.connection import Connection


class HalfClosing:
    """A transport that closes for writing only while a body is received: a full close would reset the connection."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self.write = connection.transport.write
        self.is_closing = connection.transport.is_closing

    def close(self) -> None:
        """Closes the connection; for writing only while a body is received."""
        if self._connection.awaits_body:
            self._connection.half_close()
        else:
            self._connection.transport.close()


class Trailers(list[tuple[bytes, bytes]]):
    """Discards the trailer fields of a chunked body: the request has started without them."""

    def append(self, _: tuple[bytes, bytes]) -> None:
        """Discards a field."""
