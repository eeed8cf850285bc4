"""What goes into the `Predictor` and comes out of it."""

from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass
from typing import Any

from service.serving.bounded_threads import Disconnected
from service.serving.codecs.codec import Decoder, Encoder
from service.serving.memory_budget import Share
from service.serving.pending_prediction import StageObserver
from service.serving.served_version import ServedVersion

Reference = tuple[str, str | None]  # a model's name, and a number, an alias, `latest` or nothing


@dataclass(slots=True)
class PredictionRequest:
    """One request for predictions.

    Args:
        model: the model that is asked for.
        decoder: of the body.
        encoder: gives the encoder of the answer to a decoded body; it may raise.
        body: the body, as `unpack` takes it if there is that.
        share: of the memory for bodies; a small body needs none.
        chunks: the pieces of a stream of rows instead of a body.
        unpack: decompresses the body; called in a thread.
        deadline: as `time.perf_counter` counts, after which the answer is of no use.
        disconnected: returns when the client has gone.
        mergeable: whether other requests may share its forward.
        observer: is given the seconds of each stage.
        version: the version that answers, once that is known.
    """

    model: Reference
    decoder: Decoder
    encoder: Callable[[Any], Encoder]
    body: bytes
    share: Share | None
    chunks: AsyncIterable[bytes] | None = None
    unpack: Callable[[bytes], bytes] | None = None
    deadline: float | None = None
    disconnected: Disconnected | None = None
    mergeable: bool = True
    observer: StageObserver | None = None
    version: ServedVersion | None = None


@dataclass(slots=True)
class PredictionResult:
    """The answer to one request, and how many of its values are categories that the model does not know."""

    version: ServedVersion
    encoder: Encoder
    unknown_categories: int
    body: bytes = b""
