"""A version of a model that answers predictions."""

from typing import NamedTuple


class ServedVersion(NamedTuple):
    """A version by its digest, and by the name and number of the request: several names may share a digest."""

    digest: str
    name: str
    number: int
