"""Content negotiation of our own protocol: which codec fits a request's Content-Type and Accept."""

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
    """The encoder of the media type that a client accepts; the default if it accepts any.

    Raises:
        NotAcceptable: it accepts none that is offered.
    """
    accept = headers.get(b"accept", b"*/*").decode("latin-1")
    if accept == "*/*":
        return ENCODERS[default]
    return ENCODERS.get(accept) or ENCODERS[choose(accept, OFFERED)]


def _encoder(headers: Headers, _: Any) -> Encoder:
    # JSON Lines are answered in JSON Lines, unless another type is accepted.
    return accepted(headers, JSON_LINES if _decoder(headers) is DECODERS[JSON_LINES] else JSON)


def is_stream(headers: Headers) -> bool:
    """Whether rows come, and answers are wanted, line by line."""
    return content_type(headers) == JSON_LINES and accepted(headers, JSON_LINES).media_type == JSON_LINES


NATIVE = Dialect(_decoder, _encoder, refuse=lambda problem: problem)
