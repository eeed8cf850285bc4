"""Content negotiation of the native protocol: the codecs for a Content-Type and an Accept."""

from typing import Any

from service.api.accept import choose
from service.api.errors import UnsupportedMediaType
from service.api.predictions.dialect import Dialect, Headers, content_type
from service.serving.codecs import DECODERS, ENCODERS, JSON, JSON_LINES
from service.serving.codecs.codec import Decoder, Encoder

OFFERED = tuple(ENCODERS)


def _decoder(headers: Headers) -> Decoder:
    found = DECODERS.get(headers.get(b"content-type", b"").decode("latin-1"))
    if found is not None:
        return found
    given = content_type(headers)
    if not given or given.endswith("+json"):
        return DECODERS[JSON]
    if given not in DECODERS:
        raise UnsupportedMediaType(f"expected Content-Type: {', '.join(DECODERS)}")
    return DECODERS[given]


def accepted(headers: Headers, default: str = JSON) -> Encoder:
    """The encoder for the Accept header; that of the default media type if the client accepts any.

    Raises:
        NotAcceptable: no offered media type is accepted.
    """
    accept = headers.get(b"accept", b"*/*").decode("latin-1")
    if accept == "*/*":
        return ENCODERS[default]
    return ENCODERS.get(accept) or ENCODERS[choose(accept, OFFERED)]


def _encoder(headers: Headers, _: Any) -> Encoder:
    # The default for JSON Lines is JSON Lines.
    return accepted(headers, JSON_LINES if _decoder(headers) is DECODERS[JSON_LINES] else JSON)


def is_stream(headers: Headers) -> bool:
    """Whether both the body and the response are JSON Lines."""
    return content_type(headers) == JSON_LINES and accepted(headers, JSON_LINES).media_type == JSON_LINES


NATIVE = Dialect(_decoder, _encoder, refuse=lambda problem: problem)
