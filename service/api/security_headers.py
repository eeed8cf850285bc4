"""Response headers against misuse of responses in browsers."""

from service.workflow import card

Line = tuple[bytes, bytes]
CARDS = ("/card", "/card.html")  # how the paths of model cards end

# uvicorn adds these to every response, also to those that FastAPI does not make.
ALWAYS = [
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
]
POLICY: Line = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_PAGE: Line = (
    b"content-security-policy",
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
)
_DASHBOARD: Line = (
    b"content-security-policy",
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    b"require-trusted-types-for 'script'; trusted-types 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
)
# pages for browsers, with scripts of this service only
PAGES = {"/": _DASHBOARD, "/docs": _PAGE}
_CARD: Line = (b"content-security-policy", card.POLICY.encode())


def policy_of(path: str) -> Line:
    """The policy for responses of a path. It allows what a page there needs, and no script but those of this service."""
    return _CARD if path.endswith(CARDS) else PAGES.get(path, POLICY)
