"""One POST to where a webhook points: to an address that was looked at first, past no proxy, following nothing."""

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Any

import httpx
from pydantic_core import Url

from service import __version__
from service.jobs.errors import AddressRefused
from service.jobs.webhook_allowlist import refused

MOST_ADDRESSES = 4
PORTS = {"http": 80, "https": 443}


def open_transport() -> httpx.AsyncHTTPTransport:
    """Connections that are verified and closed after each request. A transport alone keeps no cookies, takes no proxy
    from the environment, follows no redirect and logs no URL."""
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.AsyncHTTPTransport(verify=httpx.create_ssl_context(), trust_env=False, limits=limits)


async def post(
    transport: httpx.AsyncHTTPTransport, url: Url, headers: dict[str, str], body: bytes, timeout: float
) -> int:
    """The status of the answer; its body is not read.

    Raises:
        AddressRefused: the host has an address that no webhook goes to.
        TimeoutError: there was no answer within so many seconds, however many of them it took to begin one.
        httpx.HTTPError, OSError: it went wrong otherwise.
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
    """To this very address, so that no second look-up finds another; host name and certificate are still the URL's."""
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
    """What the host's name stands for. Asked in a thread that nobody waits for when the service stops: the answer may
    take long, and cannot be called off."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def tell(found: list[str] | OSError) -> None:
        if answer.done():
            return
        if isinstance(found, OSError):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    def ask() -> None:
        try:
            host = str(url.host).strip("[]")
            found: list[str] | OSError = [
                str(each[4][0]) for each in socket.getaddrinfo(host, url.port, type=socket.SOCK_STREAM)
            ]
        except OSError as error:
            found = error
        except UnicodeError:  # a label that is too long for a name
            found = socket.gaierror(socket.EAI_NONAME, "no such name")
        with suppress(RuntimeError):  # the loop is closed: nobody asks any more
            loop.call_soon_threadsafe(tell, found)

    threading.Thread(target=ask, name="webhook address", daemon=True).start()
    return (await answer)[:MOST_ADDRESSES]
