"""What differs between the protocols for predictions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Response

from service.model_reference import ModelReference
from service.serving.codecs.codec import Decoder, Encoder

Headers = dict[bytes, bytes]


@dataclass(frozen=True)
class Dialect:
    """One protocol.

    Args:
        decoder: gives the decoder of the body for the headers of a request.
        encoder: gives the encoder of the response for the headers and the decoded body.
        refuse: converts a problem document to an error of the protocol.
        json_length: the response header for the length of the JSON, where tensors follow it as bytes.
    """

    decoder: Callable[[Headers], Decoder]
    encoder: Callable[[Headers, Any], Encoder]
    refuse: Callable[[Response], Response]
    json_length: bytes = b""


Target = tuple[ModelReference, Dialect]  # the requested model, and the protocol


def content_type(headers: Headers) -> str:
    """The Content-Type without its parameters, in lower case."""
    return headers.get(b"content-type", b"").decode("latin-1").split(";", 1)[0].strip().lower()
