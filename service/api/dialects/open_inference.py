"""The Open Inference Protocol, version 2, of Triton, KServe and MLServer: inference. Its other endpoints are in
`open_inference_models.py`."""

from typing import Any

from service.api.dialects.refusals import with_error
from service.api.errors import InvalidRequest, UnsupportedMediaType
from service.api.predictions.dialect import Dialect, Headers, content_type
from service.serving.codecs import JSON, open_inference
from service.serving.codecs.codec import Decoder, Encoder
from service.serving.codecs.open_inference import OCTETS

START, END = "/v2/models/", "/infer"
LENGTH = b"inference-header-content-length"


def _decoder(headers: Headers) -> Decoder:
    kind = content_type(headers)
    if kind not in ("", JSON, OCTETS) and not kind.endswith("+json"):
        raise UnsupportedMediaType(f"expected Content-Type: {JSON}, or {OCTETS} where tensors follow as bytes")
    given = headers.get(LENGTH)
    length = None if given is None else int(given[:18]) if given.isdigit() else -1

    def document_end(body: bytes) -> int:
        if length is None or not 0 <= length <= len(body):
            raise InvalidRequest(f"Inference-Header-Content-Length is none of 0 to {len(body)}, the length of the body")
        return length

    return open_inference.decoder(length, document_end)


def _encoder(_: Headers, decoded: Any) -> Encoder:
    return open_inference.encoder(decoded)


OPEN_INFERENCE = Dialect(_decoder, _encoder, with_error, LENGTH)
