"""Headers by which a browser makes nothing of an answer but what it is: a program's data."""

Line = tuple[bytes, bytes]

# uvicorn puts these into every answer, predictions on the fast path and refusals before there is a request included.
ALWAYS = [
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
]
POLICY: Line = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_PAGE: Line = (
    b"content-security-policy",
    b"default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
)
PAGES = {"/docs": _PAGE, "/docs/oauth2-redirect": _PAGE}  # for people: their scripts are the service's own
