"""Loopback addresses, which only this machine can reach."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether a host is `localhost`, in 127.0.0.0/8, or ::1. Other names are not resolved."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
