"""Rows in the query of a URL: the values of each input as texts, with each name repeated for each row."""

from urllib.parse import parse_qsl

from service.serving.codecs.codec import Decoder, Rows
from service.serving.codecs.instances import from_texts
from service.serving.warm_models import Warm


def columns(query: bytes) -> dict[str, list[str]]:
    """The values by name. Names are sorted, as their order has no meaning; the values of a name keep theirs."""
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        found.setdefault(name, []).append(value)
    return dict(sorted(found.items()))


def _read(warm: Warm, given: dict[str, list[str]]) -> Rows:
    return from_texts(warm.signature.with_points, given, warm.model.fills_missing)


DECODER = Decoder(columns, _read)
