"""Listening sockets, opened once and shared by all serving processes; and queues of connected sockets."""

import array
import asyncio
import contextlib
import ctypes
import errno
import fcntl
import os
import socket
import struct
import sys
import termios
from collections.abc import Iterable

BACKLOG = 2048  # connections that may wait to be accepted
SO_ATTACH_FILTER = 26
# A classic BPF program (code, jump if true, jump if false, constant) over a TCP header: drops SYN packets.
NO_SYN = ((0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))


def open_listeners(host: str, port: int) -> list[socket.socket]:
    """Opens a listening socket for each address that the host name resolves to.

    Args:
        host: a name or an address; empty for all interfaces.
        port: 0 for any free port, which is then the same for all sockets.

    Raises:
        OSError: the address is not on this machine, or in use.
    """
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise OSError(f"Cannot listen on {host}: {error.strerror}") from error
    listeners: list[socket.socket] = []
    failed: OSError | None = None
    for family, where in dict.fromkeys((family, address[0]) for family, _, _, _, address in found):
        try:
            listener = socket.create_server((where, port), family=family, backlog=BACKLOG)
        except OSError as error:
            failed = error
            if error.errno == errno.EADDRNOTAVAIL:  # `localhost` may resolve to ::1 where there is no IPv6
                continue
            break
        listeners.append(listener)
        port = listener.getsockname()[1]  # the same for all, where any free one will do
    else:
        if listeners:
            return listeners
    for listener in listeners:
        listener.close()
    why = os.strerror(failed.errno) if failed is not None and failed.errno else "it has no address"
    raise OSError(f"Cannot listen on {host}, port {port}: {why}") from failed


def address_of(listener: socket.socket) -> str:
    """The URL of a listening socket, for messages."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def reject_new_connections(listeners: Iterable[socket.socket]) -> None:
    """Drops new connections, while those in the backlog can still be accepted.

    Closing the socket at once would reset the connections in its backlog. The SYN of a new client is dropped until the socket is
    closed, and the retransmitted one refused then. Applies to every process that shares the socket; does nothing but on Linux.
    """
    if sys.platform != "linux":
        return
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in NO_SYN))
    filter_ = struct.pack("HP", len(NO_SYN), ctypes.addressof(program))
    for listener in listeners:
        with contextlib.suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, filter_)


def any_to_accept(listeners: Iterable[socket.socket]) -> bool:
    """Whether connections wait to be accepted. Only Linux counts them: as `tcpi_unacked` of a listening socket."""
    if sys.platform != "linux":
        return False
    states = (each.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28) for each in listeners)
    return any(struct.unpack_from("I", state, 24)[0] for state in states)


def has_unread(transport: asyncio.Transport) -> bool:
    """Whether the socket's receive queue holds bytes."""
    connection: socket.socket | None = transport.get_extra_info("socket")
    return connection is not None and not transport.is_closing() and _queued(connection, termios.FIONREAD) > 0


def in_send_queue(transport: asyncio.Transport) -> int:
    """Bytes in the socket's send queue. The kernel takes hundreds of kilobytes from the transport at once: only here does the
    progress of a slow reader show."""
    return _queued(transport.get_extra_info("socket"), termios.TIOCOUTQ)


def _queued(connection: socket.socket, queue: int) -> int:
    waiting = array.array("i", [0])
    try:
        fcntl.ioctl(connection.fileno(), queue, waiting)
    except OSError:  # it is closed
        return 0
    return waiting[0]
