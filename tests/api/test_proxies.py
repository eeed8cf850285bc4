"""Which address counts as the client's, behind trusted and other proxies."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from service.access.audit import Audit
from service.access.keyring import Keyring
from service.access.scopes import Scope
from service.addresses import parse_networks
from service.api.middleware.authorize import Authorize
from service.api.middleware.proxies import MOST_HOPS, Proxies

PROXY = ("10.0.0.1", 4711)
PROXIES = Proxies(parse_networks("10.0.0.0/8,fd00::/8"))


def client(*lines: bytes, peer: tuple[str, int] | None = PROXY) -> str | None:
    found = PROXIES.client(peer, lines)
    return None if found is None else found[0]


def test_the_last_address_that_is_no_proxy_is_the_client() -> None:
    assert client(b"203.0.113.7") == "203.0.113.7"
    assert client(b"1.1.1.1, 203.0.113.7, 10.0.0.9") == "203.0.113.7"  # 1.1.1.1 is what the client claims
    assert client(b"1.1.1.1", b"203.0.113.7") == "203.0.113.7"
    assert client(b"10.0.0.8,10.0.0.9") == "10.0.0.8"
    assert client() == client(b"") == client(b"nonsense") == "10.0.0.1"
    assert client(b"203.0.113.7, nonsense, 10.0.0.9") == "10.0.0.9"
    assert client(b"203.0.113.7" + b",10.0.0.9" * (MOST_HOPS + 1)) == "10.0.0.9"


def test_addresses_may_have_a_port_and_be_ipv6() -> None:
    assert client(b"203.0.113.7:51000") == "203.0.113.7"
    assert client(b"[2001:db8::1]:51000") == client(b"2001:DB8::1") == "2001:db8::1"
    assert client(b"203.0.113.7", peer=("fd00::7", 1)) == "203.0.113.7"
    assert client(b"203.0.113.7", peer=("::ffff:10.0.0.1", 1)) == "203.0.113.7"


def test_others_are_not_believed() -> None:
    headers = {b"host": b"a", b"x-forwarded-host": b"b", b"x-forwarded-proto": b"https"}
    for proxies, peer in ((PROXIES, ("11.0.0.1", 1)), (PROXIES, None), (Proxies(), PROXY)):
        assert proxies.client(peer, [b"203.0.113.7"]) == peer
        assert (proxies.host(peer, headers), proxies.scheme(peer, headers)) == (b"a", "http")


def test_host_and_scheme() -> None:
    def seen(**headers: bytes) -> tuple[bytes, str]:
        by_name = {name.replace("_", "-").encode(): value for name, value in headers.items()}
        return PROXIES.host(PROXY, by_name), PROXIES.scheme(PROXY, by_name)

    assert seen(host=b"a") == (b"a", "http")
    assert seen(host=b"a", x_forwarded_host=b"x, b", x_forwarded_proto=b"http, HTTPS") == (b"b", "https")
    assert seen(host=b"a", x_forwarded_proto=b"javascript") == (b"a", "http")


@given(st.lists(st.binary(max_size=60), max_size=3))
def test_any_bytes_are_handled(lines: list[bytes]) -> None:
    assert client(*lines) is not None


def test_a_service_without_keys_answers_its_own_machine_only_also_behind_a_proxy(tmp_path: Path) -> None:
    async def app(*_: object) -> None: ...

    keys, audit = Keyring(tmp_path), Audit(tmp_path)
    edge = Authorize(app, keys, audit, needed=lambda *_: (None, False), answered=lambda *_: None, proxies=PROXIES)

    def refuses(peer: tuple[str, int] = PROXY, **headers: bytes) -> bool:
        given_ = {name.replace("_", "-").encode(): value for name, value in headers.items()}
        return edge.check(Scope.PREDICT, "POST", {b"host": b"127.0.0.1:8000", **given_}, peer)[1] is not None

    assert not refuses(x_forwarded_for=b"127.0.0.1", x_forwarded_host=b"localhost")
    assert refuses(x_forwarded_for=b"203.0.113.7", x_forwarded_host=b"localhost")  # another machine
    assert refuses(x_forwarded_for=b"127.0.0.1", x_forwarded_host=b"ml.example.org")  # a rebound name
    assert not refuses(
        ("127.0.0.1", 1), x_forwarded_for=b"203.0.113.7", x_forwarded_host=b"ml.example.org"
    )  # not trusted
    assert not refuses(x_forwarded_for=b"127.0.0.1", x_forwarded_host=b"localhost:90", origin=b"http://localhost:90")
    assert refuses(x_forwarded_for=b"127.0.0.1", x_forwarded_host=b"localhost:90", origin=b"http://127.0.0.1:8000")
