"""Addresses around the service that the settings name: origins of web pages, networks of proxies, and the path of the service
behind a proxy."""

import ipaddress
import re
from urllib.parse import urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

DEFAULT_PORTS = {"http": 80, "https": 443}  # which a browser leaves out
LONGEST_ROOT = 128  # characters
# The first parts of the service's own paths. A root path that begins like one could not be told from it.
OWN_PATHS = frozenset(
    (
        "docs",
        "invocations",
        "livez",
        "metrics",
        "openapi.json",
        "ping",
        "readyz",
        "static-offline-docs",
        "v1",
        "v2",
        "web",
    )
)
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?|\[[0-9a-f:.]{2,45}\]")
_ROOT = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")


def parse_origins(text: str) -> frozenset[str]:
    """The origins in a comma-separated list, as browsers send them.

    Raises:
        ValueError: one of them is no origin.
    """
    return frozenset(_origin(each.strip()) for each in text.split(","))


def _origin(text: str) -> str:
    expected = "an origin is http or https, a host and a port if it is not the default, such as https://app.example.org"
    if "*" in text:
        raise ValueError(f"`{text}` would let in pages that nobody has named; {expected}")
    try:
        parts = urlsplit(text.lower())
        port = parts.port
    except ValueError:
        raise ValueError(f"`{text}` is no origin; {expected}") from None
    host = parts.netloc.removesuffix(f":{port}")
    if parts.scheme not in DEFAULT_PORTS or _HOST.fullmatch(host) is None or port == 0:
        raise ValueError(f"`{text}` is no origin; {expected}")
    if f"{parts.scheme}://{parts.netloc}" != text.lower():
        raise ValueError(f"`{text}` has more than an origin; write {parts.scheme}://{parts.netloc}")
    return f"{parts.scheme}://{host}" + ("" if port in (None, DEFAULT_PORTS[parts.scheme]) else f":{port}")


def parse_networks(text: str) -> tuple[Network, ...]:
    """The networks in a comma-separated list of addresses and networks.

    Raises:
        ValueError: one of them is neither.
    """
    return tuple(_network(each.strip()) for each in text.split(","))


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        bits = " (with no bits beyond its prefix)" if "host bits" in str(error) else ""
        raise ValueError(f"`{text}` is no address and no network{bits}, such as 10.0.0.7 or 10.0.0.0/8") from None


def parse_root_path(text: str) -> str:
    """The path under which a proxy shows the service.

    Raises:
        ValueError: it is no such path, or cannot be told from a path of the service.
    """
    if len(text) > LONGEST_ROOT or _ROOT.fullmatch(text) is None:
        raise ValueError(
            f"`{text}` must begin with / and not end with it, and have plain characters, such as /mw or /ml/mw"
        )
    if text.split("/")[1] in OWN_PATHS:
        raise ValueError(f"`{text}` begins like a path of the service itself; choose another, such as /mw")
    return text
