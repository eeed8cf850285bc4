"""Content negotiation by the Accept header (RFC 9110, 12.5.1)."""

# Not python-mimeparse: it breaks ties in another way and raises where a range is to be ignored, so it would save no lines.

from collections.abc import Sequence

from service.api.errors import NotAcceptable


def choose(accept: str, offered: Sequence[str]) -> str:
    """The offered media type with the highest weight; among equals the most specific range wins, then the first offered.

    Raises:
        NotAcceptable: the client accepts none of them.
    """
    ranges = [each for each in map(_range, accept.split(",")) if each is not None] if accept.strip() else [("*/*", 1.0)]
    best, chosen = (0.0, 0), ""
    for media_type in offered:
        exactness, weight = max((_exactness(each, media_type), weight) for each, weight in [*ranges, ("", 0.0)])
        if exactness and weight and (weight, exactness) > best:
            best, chosen = (weight, exactness), media_type
    if not chosen:
        raise NotAcceptable(f"{', '.join(offered)} can be answered")
    return chosen


def _range(text: str) -> tuple[str, float] | None:
    """A media range and its weight; None if it is not valid."""
    media_range, *parameters = (part.strip().lower() for part in text.split(";"))
    weight = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                weight = float(value)
            except ValueError:
                return None
    return (media_range, weight) if 0 <= weight <= 1 else None


def _exactness(media_range: str, media_type: str) -> int:
    """0 if the range does not match the type, else higher for a more specific range."""
    if media_range == media_type:
        return 3
    if media_range == f"{media_type.split('/')[0]}/*":
        return 2
    return 1 if media_range == "*/*" else 0
