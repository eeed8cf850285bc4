"""Cross-origin resource sharing (CORS, https://fetch.spec.whatwg.org/#http-cors-protocol): which web pages of other sites may
call the service and read its responses. Without origins in the settings none may, and nothing of this is sent."""

from collections.abc import Iterable, Mapping

from starlette.responses import Response

from service.access.errors import Forbidden
from service.api.problems import answer_to

Lines = tuple[tuple[bytes, bytes], ...]

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
# Those that this API reads; browsers send Accept and others without asking.
REQUEST_HEADERS = (
    "Authorization",
    "Content-Encoding",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "If-Range",
    "Inference-Header-Content-Length",
    "Last-Event-ID",
    "Range",
    "Request-Id",
    "Request-Timeout",
    "Traceparent",
    "Tracestate",
    "Tus-Resumable",
    "Upload-Length",
    "Upload-Offset",
    "X-Request-Id",
)
# Those that it sends; browsers show Content-Type, Content-Length and Cache-Control without.
RESPONSE_HEADERS = (
    "Accept-Ranges",
    "Allow",
    "Content-Disposition",
    "Content-Range",
    "ETag",
    "Inference-Header-Content-Length",
    "Location",
    "Model-Name",
    "Model-Version",
    "Repr-Digest",
    "Request-Id",
    "Retry-After",
    "Tus-Resumable",
    "Unknown-Categories",
    "Upload-Expires",
    "Upload-Length",
    "Upload-Offset",
    "WWW-Authenticate",
)
KEPT_SECONDS = 600  # for which a browser keeps the response to a preflight
_VARY = (b"vary", b"Origin")
_EXPOSED = (b"access-control-expose-headers", ", ".join(RESPONSE_HEADERS).encode())


class CrossOrigin:
    """The origins whose pages may call the service.

    Credentials of the browser (cookies, certificates) are never let in: `Access-Control-Allow-Credentials` is not sent.
    """

    def __init__(self, origins: Iterable[str] = ()) -> None:
        # Keys are the bytes that a browser sends, so that no request has to be parsed.
        self._lines: dict[bytes, Lines] = {
            origin: (_VARY, (b"access-control-allow-origin", origin), _EXPOSED)
            for origin in (each.encode() for each in origins)
        }
        self._others: Lines = (_VARY,) if self._lines else ()

    def allows(self, origin: bytes | None) -> bool:
        """Whether pages of this origin may call the service."""
        return origin in self._lines

    def lines(self, headers: Mapping[bytes, bytes]) -> Lines:
        """The headers of the response to a request."""
        origin = headers.get(b"origin")
        return self._others if origin is None else self._lines.get(origin, self._others)

    def preflight(self, method: str, headers: Mapping[bytes, bytes]) -> Response | None:
        """The response to a browser that asks whether a page may send a request; None for any other request. It needs no key,
        which browsers do not send with it."""
        if not self._lines or method != "OPTIONS" or b"access-control-request-method" not in headers:
            return None
        if not self.allows(headers.get(b"origin")):
            return answer_to(Forbidden("Pages of this origin may not call the service (MODELWRIGHT_ALLOWED_ORIGINS)."))
        allowed = {
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": ", ".join(REQUEST_HEADERS),
            "Access-Control-Max-Age": str(KEPT_SECONDS),
        }
        return Response(None, 204, allowed)
