"""What trusted proxies say about a request that they pass on: `X-Forwarded-For`, `X-Forwarded-Host` and `X-Forwarded-Proto`."""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from service.addresses import Network

Headers = Mapping[bytes, bytes]
Client = tuple[str, int] | None  # address and port; None if it is not known

MOST_HOPS = 32  # proxies in a chain that are followed


class Proxies:
    """The proxies whose headers are believed; without networks none are.

    Args:
        networks: that contain their addresses.
    """

    def __init__(self, networks: Sequence[Network] = ()) -> None:
        self._networks = networks
        self._is_trusted = lru_cache(4096)(self._in_a_network)

    def trusts(self, peer: Client) -> bool:
        """Whether a connection from this address is a trusted proxy's."""
        return bool(self._networks) and peer is not None and self._is_trusted(peer[0])

    def client(self, peer: Client, forwarded_for: Iterable[bytes]) -> Client:
        """The client: the last address in `X-Forwarded-For` that is no trusted proxy's. What stands before it, the client may
        have written itself.

        Args:
            peer: who has connected.
            forwarded_for: the lines of that header.
        """
        if peer is None or not self.trusts(peer):
            return peer
        found = peer[0]
        for each in reversed(b",".join(forwarded_for).rsplit(b",", MOST_HOPS)):
            address = _address(each.strip().decode("latin-1"))
            if address is None:
                break
            found = address
            if not self._is_trusted(address):
                break
        return peer if found == peer[0] else (found, 0)

    def host(self, peer: Client, headers: Headers) -> bytes:
        """The host that the client has asked for: the last `X-Forwarded-Host` of a trusted proxy, else `Host`."""
        forwarded = headers.get(b"x-forwarded-host") if self.trusts(peer) else None
        return headers.get(b"host", b"") if forwarded is None else forwarded.rpartition(b",")[2].strip()

    def scheme(self, peer: Client, headers: Headers) -> str:
        """The scheme of the client's request."""
        forwarded = headers.get(b"x-forwarded-proto", b"") if self.trusts(peer) else b""
        return "https" if forwarded.rpartition(b",")[2].strip().lower() == b"https" else "http"

    def _in_a_network(self, text: str) -> bool:
        address = ipaddress.ip_address(text)
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)


@lru_cache(4096)
def _address(text: str) -> str | None:
    """The address in an entry of `X-Forwarded-For`, which may have a port; None if it is none."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
