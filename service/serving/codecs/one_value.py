"""Bodies that are one value of a model with one input: an image, a video, or a plain text."""

import math
from functools import lru_cache, partial

from service.serving.codecs.codec import MOST_BYTES, Decoder, Rows
from service.serving.codecs.shaped_values import kind_of, raw_of, read_values
from service.serving.errors import BodyNotTaken
from service.serving.limits import invalid
from service.serving.warm_models import Warm
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.data.types.shaped_type import ShapedType
from service.workflow.signature import Signature

MOST_NAMED = 5  # inputs, in messages
SMALL_PIXELS = 2**20  # decoded in some milliseconds
SMALL_VALUE = 2**22  # numbers of the tensor that is made of them


def media_types() -> list[str]:
    """Those of bodies that are one value; image/png, say, or video/*."""
    return [each for kind in COLUMN_TYPES.values() if isinstance(kind, ShapedType) for each in kind.media_types]


@lru_cache(maxsize=64)
def decoder(media_type: str) -> Decoder | None:
    """The decoder of a body of this media type, in lower case; None if no value is one."""
    if not any(isinstance(kind, ShapedType) and kind.takes(media_type) for kind in COLUMN_TYPES.values()):
        return None
    return Decoder(bytes, partial(_read, media_type), in_loop=MOST_BYTES, memory_of=lambda _: 0, is_small=_is_small)


def _is_small(warm: Warm, body: bytes) -> bool:
    of = warm.signature.inputs[0]
    if of.shape is None or math.prod(of.shape) > SMALL_VALUE:
        return False
    return 0 < kind_of(of).pixels(body) <= SMALL_PIXELS


def _read(media_type: str, warm: Warm, body: bytes) -> Rows:
    """The raw features of one row. What the file is, its first bytes say, not the media type.

    Raises:
        BodyNotTaken: the model has several inputs, or one of another type.
        InvalidInstances: the value cannot be read.
    """
    of = warm.signature.inputs[0]
    if len(warm.signature.inputs) > 1 or of.shape is None or not kind_of(of).takes(media_type):
        raise BodyNotTaken(f"a body of {media_type} is the value of one such input; {_taken(warm.signature)}")
    tensor, wrong = read_values(of, [body])
    if wrong:
        raise invalid(wrong[0])
    return raw_of(warm.signature, {of.name: tensor})


def _taken(signature: Signature) -> str:
    """What the model takes instead."""
    inputs = [f"{each.name} ({each.type})" for each in signature.inputs]
    named = ", ".join(inputs[:MOST_NAMED]) + (f" and {len(inputs) - MOST_NAMED} more" if inputs[MOST_NAMED:] else "")
    forms = ["application/json", "multipart/form-data"]
    if len(inputs) == 1 and signature.shaped:
        forms = [*kind_of(signature.inputs[0]).media_types, *forms]
    return f"this model takes {named}: send {', '.join(forms[:-1])} or {forms[-1]}"
