"""What differs between the protocols in which clients ask for predictions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Response

from service.serving.codecs.codec import Decoder, Encoder
from service.serving.prediction import Reference

Headers = dict[bytes, bytes]


@dataclass(frozen=True)
class Dialect:
    """One protocol.

    Args:
        decoder: how a body is decoded, by the headers of its request.
        encoder: how the answer is encoded, by the headers and the decoded body.
        refuse: makes an error of the protocol from a problem document.
        json_length: the header for the bytes of JSON in an answer of JSON and bytes.
    """

    decoder: Callable[[Headers], Decoder]
    encoder: Callable[[Headers, Any], Encoder]
    refuse: Callable[[Response], Response]
    json_length: bytes = b""


Target = tuple[Reference, Dialect]  # the model that a request asks for, and the protocol


def content_type(headers: Headers) -> str:
    """The Content-Type without its parameters, in lower case."""
    return headers.get(b"content-type", b"").decode("latin-1").split(";", 1)[0].strip().lower()
