"""Where webhooks may go: the hosts that the operator allows, and the addresses that are refused whatever the host."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Self

from pydantic import ValidationError
from pydantic_core import Url

from service.jobs.errors import WebhooksMisconfigured

# Link-local addresses, and the other addresses of the metadata services of clouds.
REFUSED = [
    *(ip_network(each) for each in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128")),
    *(ip_network(each) for each in ("100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32")),
]
NAT64 = ip_network("64:ff9b::/96")


@dataclass(frozen=True)
class WebhookAllowlist:
    """The allowed hosts, as the URL parser spells them, each with its port or None for any. Empty: no webhooks."""

    allowed: tuple[tuple[str, int | None], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """From a comma-separated list of `host` or `host:port`.

        Raises:
            WebhooksMisconfigured: an entry is neither.
        """
        return cls(tuple(_entry(each.strip()) for each in text.split(",") if each.strip()))

    def allow(self, url: str | Url) -> bool:
        """Whether a webhook may go there."""
        url = Url(url) if isinstance(url, str) else url
        return any(url.host == host and port in (None, url.port) for host, port in self.allowed)

    def __str__(self) -> str:
        return ", ".join(host if port is None else f"{host}:{port}" for host, port in self.allowed)


NO_WEBHOOKS = WebhookAllowlist()


def refused(address: str) -> bool:
    """Whether no webhook may go to this IP address."""
    ip: IPv4Address | IPv6Address = ip_address(address)
    if isinstance(ip, IPv6Address):
        inner = IPv4Address(int(ip) & 0xFFFFFFFF) if ip in NAT64 else ip.ipv4_mapped
        ip = inner or IPv6Address(int(ip))  # without its zone, which would match no network
    return any(ip in network for network in REFUSED)


def _entry(text: str) -> tuple[str, int | None]:
    wrong = WebhooksMisconfigured(f"MODELWRIGHT_WEBHOOK_HOSTS: {text!r} is no host and no host:port")
    if not text.isprintable() or any(sign in text for sign in "/\\?#@* "):
        raise wrong
    try:
        # Parsed with both schemes: a port that both have was given, any other is the default of the scheme.
        plain, secure = Url(f"http://{text}/"), Url(f"https://{text}/")
    except ValidationError:
        raise wrong from None
    return str(plain.host), plain.port if plain.port == secure.port else None
