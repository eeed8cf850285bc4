"""Protection of a service without keys, which listens on the loopback, against web pages in a browser on this machine: DNS
rebinding, and forms and scripts of other sites (CSRF)."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from service.access.errors import Forbidden
from service.access.loopback import is_loopback
from service.api.middleware.scopes import CHANGING

OWN_SITE = (b"same-origin", b"none")  # none: typed or opened by the user; same-site includes other ports
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([^\[\]:]{1,253}))(?::\d{1,5})?")


def check_browser(
    method: str,
    headers: Mapping[bytes, bytes],
    *,
    any_host: bool,
    allows: Callable[[bytes], bool] = lambda origin: False,
) -> Forbidden | None:
    """The error of a request that a web page of another site may have caused; None if the request is allowed.

    Args:
        method: the HTTP method.
        headers: by name in lower case.
        any_host: whether Host may be anything.
        allows: whether the pages of an origin may change something, because the settings name it.
    """
    host = headers.get(b"host", b"")
    if not any_host and (len(host) > 300 or not _is_ours(host)):
        return Forbidden(
            "This service has no keys and answers its own machine only: Host must be localhost or a loopback address. "
            "Make a key to let others in: modelwright keys create."
        )
    origin = headers.get(b"origin")
    if method not in CHANGING or (origin is not None and allows(origin)):
        return None
    if origin is not None and origin.partition(b"://")[2].lower() != host.lower():
        return Forbidden("This service has no keys and takes nothing from the pages of other sites (Origin).")
    if headers.get(b"sec-fetch-site", b"none").strip().lower() not in OWN_SITE:
        return Forbidden("This service has no keys and takes nothing from the pages of other sites (Sec-Fetch-Site).")
    return None


@lru_cache(256)
def _is_ours(host: bytes) -> bool:
    found = _HOST.fullmatch(host.decode("latin-1"))
    return found is not None and is_loopback(found[1] or found[2])
