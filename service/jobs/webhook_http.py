"""Posts a webhook: to an address that was checked first, without proxies and redirects."""

import asyncio
import socket
import threading
from concurrent.futures import Future
from typing import Any

import httpx
from pydantic_core import Url

from service import __version__
from service.jobs.errors import AddressRefused
from service.jobs.webhook_allowlist import refused

MOST_ADDRESSES = 4
PORTS = {"http": 80, "https": 443}


def open_transport() -> httpx.AsyncHTTPTransport:
    """A transport that verifies certificates and closes the connection after each request. Unlike a client it keeps no
    cookies, uses no proxy of the environment, follows no redirect and logs no URL."""
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.AsyncHTTPTransport(verify=httpx.create_ssl_context(), trust_env=False, limits=limits)


async def post(
    transport: httpx.AsyncHTTPTransport, url: Url, headers: dict[str, str], body: bytes, timeout: float
) -> int:
    """The status code of the response; its body is not read.

    Raises:
        AddressRefused: the host has a refused address.
        TimeoutError: there was no response within `timeout` seconds in all.
        httpx.HTTPError, OSError: it failed otherwise.
    """
    async with asyncio.timeout(timeout):
        addresses = await _addresses(url)
        if any(refused(each) for each in addresses):
            raise AddressRefused
        timeouts = httpx.Timeout(timeout, connect=timeout / 3).as_dict()
        while True:
            request = _request(url, addresses.pop(0), headers, body, timeouts)
            try:
                response = await transport.handle_async_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if not addresses:
                    raise
                continue
            await response.aclose()
            return response.status_code


def _request(url: Url, address: str, headers: dict[str, str], body: bytes, timeouts: dict[str, Any]) -> httpx.Request:
    """A request to this address, so that it is not resolved again to another one; with the URL's host name, also for TLS."""
    host, port = str(url.host), url.port or PORTS[url.scheme]
    target = (url.path or "/") + (f"?{url.query}" if url.query is not None else "")
    return httpx.Request(
        "POST",
        httpx.URL(scheme=url.scheme, host=address, port=port, raw_path=target.encode("ascii")),
        headers={
            "Host": host if port == PORTS[url.scheme] else f"{host}:{port}",
            "Content-Type": "application/json",
            "User-Agent": f"Modelwright/{__version__}",
            "Connection": "close",
            **headers,
        },
        content=body,
        extensions={"timeout": timeouts, "sni_hostname": host.strip("[]")},
    )


async def _addresses(url: Url) -> list[str]:
    """The addresses of the host. Resolved in a daemon thread, which a stop of the service does not wait for: this may take
    long and cannot be cancelled."""
    found: Future[list[str]] = Future()
    found.set_running_or_notify_cancel()

    def look_up() -> None:
        host = str(url.host).strip("[]")
        try:
            addresses = socket.getaddrinfo(host, url.port, type=socket.SOCK_STREAM)
            found.set_result([str(each[4][0]) for each in addresses])
        except UnicodeError:  # a label is too long
            found.set_exception(socket.gaierror(socket.EAI_NONAME, "no such name"))
        except OSError as error:
            found.set_exception(error)

    threading.Thread(target=look_up, name="webhook address", daemon=True).start()
    return (await asyncio.wrap_future(found))[:MOST_ADDRESSES]
