"""Content negotiation of the native protocol: the codecs for a Content-Type and an Accept."""

import re
from typing import Any

from service.api.accept import choose
from service.api.errors import NotAcceptable, UnsupportedMediaType
from service.api.predictions import forms
from service.api.predictions.dialect import Dialect, Headers, content_type
from service.api.schemas.bodies import FORM
from service.serving.codecs import DECODERS, ENCODERS, JSON, JSON_LINES, intervals, one_value
from service.serving.codecs.asked_interval import AskedInterval
from service.serving.codecs.codec import Decoder, Encoder

OFFERED = tuple(ENCODERS)
UTF_8 = ("utf-8", "utf8", "us-ascii")
_CHARSET = re.compile(r'(?i);\s*charset="?([^";\s]*)')


def _decoder(headers: Headers) -> Decoder:
    found = DECODERS.get(headers.get(b"content-type", b"").decode("latin-1"))
    if found is not None:
        return found
    given = content_type(headers)
    if not given or given.endswith("+json"):
        return DECODERS[JSON]
    return DECODERS.get(given) or decoder_of_values(headers, given)


def decoder_of_values(headers: Headers, media_type: str) -> Decoder:
    """The decoder of a form, or of a body that is one value.

    Raises:
        MalformedForm: the Content-Type of a form names no boundary.
        UnsupportedMediaType: the body is neither, or a text that is not UTF-8.
    """
    whole = headers.get(b"content-type", b"").decode("latin-1")
    if media_type == FORM:
        return forms.decoder(whole)
    if (found := one_value.decoder(media_type)) is None:
        taken = ", ".join([*DECODERS, *one_value.media_types(), FORM])
        raise UnsupportedMediaType(f"expected Content-Type: {taken}")
    if media_type.startswith("text/") and (given := _CHARSET.search(whole)) and given[1].lower() not in UTF_8:
        raise UnsupportedMediaType("the one charset that is taken is utf-8")
    return found


def accepted(headers: Headers, default: str = JSON) -> Encoder:
    """The encoder for the Accept header; that of the default media type if the client accepts any.

    Raises:
        NotAcceptable: no offered media type is accepted.
    """
    accept = headers.get(b"accept", b"*/*").decode("latin-1")
    if accept == "*/*":
        return ENCODERS[default]
    return ENCODERS.get(accept) or ENCODERS[choose(accept, OFFERED)]


def with_intervals(encoder: Encoder, level: float) -> Encoder:
    """The encoder of answers with intervals, in place of the one that the client accepts.

    Raises:
        NotAcceptable: that is not of JSON.
    """
    if encoder.media_type != JSON:
        raise NotAcceptable(f"predictions with intervals are {JSON}, and no {encoder.media_type}; accept that")
    return intervals.encoder(level)


def _encoder(headers: Headers, decoded: Any) -> Encoder:
    if type(decoded) is AskedInterval:
        return with_intervals(accepted(headers), decoded.level)
    # The default for JSON Lines is JSON Lines.
    return accepted(headers, JSON_LINES if _decoder(headers) is DECODERS[JSON_LINES] else JSON)


def is_stream(headers: Headers) -> bool:
    """Whether both the body and the response are JSON Lines."""
    return content_type(headers) == JSON_LINES and accepted(headers, JSON_LINES).media_type == JSON_LINES


NATIVE = Dialect(_decoder, _encoder, refuse=lambda problem: problem)
