"""The sockets that the service listens on."""

import socket
import sys

import pytest

from service.http_server.sockets import address_of, open_listeners, reject_new_connections


def test_a_name_of_several_addresses_has_one_port() -> None:
    listeners = open_listeners("localhost", 0)
    try:
        assert len({listener.getsockname()[1] for listener in listeners}) == 1
        for listener in listeners:
            socket.create_connection(listener.getsockname()[:2]).close()
    finally:
        for listener in listeners:
            listener.close()


def test_url_of_each_host() -> None:
    (listener,) = open_listeners("127.0.0.1", 0)
    with listener:
        assert address_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_port_in_use_is_a_clear_error() -> None:
    (listener,) = open_listeners("127.0.0.1", 0)
    with (
        listener,
        pytest.raises(OSError, match=r"^Cannot listen on 127.0.0.1, port \d+: Address already in use$"),
    ):
        open_listeners("127.0.0.1", listener.getsockname()[1])


def test_an_unknown_host_is_a_clear_error() -> None:
    with pytest.raises(OSError, match=r"^Cannot listen on nowhere.invalid: "):
        open_listeners("nowhere.invalid", 0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux filters the packets of a socket")
def test_pending_connections_are_accepted_and_new_ones_are_refused() -> None:
    (listener,) = open_listeners("127.0.0.1", 0)
    address = listener.getsockname()
    with listener, socket.create_connection(address) as before:
        before.sendall(b"first")
        reject_new_connections([listener])
        with socket.socket() as late:
            late.settimeout(0.3)
            with pytest.raises(TimeoutError):
                late.connect(address)
        accepted, _ = listener.accept()
        with accepted:
            before.sendall(b" more")
            assert accepted.recv(100) == b"first more"
            listener.close()
            accepted.sendall(b"answered")
            assert before.recv(100) == b"answered"
