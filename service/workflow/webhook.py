"""The webhook of a training, which is called when its job ends."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError
from pydantic_core import Url

from service.workflow.spec_base import SpecBase

LONGEST = 2048
_ABSOLUTE = re.compile(r"https?://[^/?#@]+(?:[/?]|\Z)", re.IGNORECASE)


def _normalised(text: str) -> str:
    """The URL in one normal form, so that no later code can parse it differently."""
    if not text.isprintable() or " " in text or "\\" in text:
        raise ValueError("a URL has no white space, control characters or backslashes; escape them with %")
    if "#" in text:
        raise ValueError("a webhook's URL has no fragment: leave out the # and what follows")
    if _ABSOLUTE.match(text) is None:
        raise ValueError(
            'must be an absolute http or https URL without user and password, as "https://example.com/trained"'
        )
    try:
        url = str(Url(text))
    except ValidationError:
        raise ValueError(
            "the URL's host or port is none; a name, an IPv4 address or an IPv6 address in brackets is expected, and a port "
            "of at most 65535"
        ) from None
    if len(url) > LONGEST:
        raise ValueError(f"the URL, once escaped, has more than {LONGEST} characters")
    return url


class WebhookSpec(SpecBase):
    """Sends a signed POST of the job to a URL when the job has ended, with or without success."""

    url: Annotated[str, AfterValidator(_normalised)] = Field(
        min_length=1,
        max_length=LONGEST,
        description="an absolute http or https URL; its host must be one that the service's operator allows",
        examples=["https://hooks.example.com/trained"],
    )
