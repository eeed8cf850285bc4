"""A reference to a version of a model, as people write it: `houses`, `houses@3`, `houses@production`."""

from typing import NamedTuple, Self


class ModelReference(NamedTuple):
    """A model by its name and a version of it: a number, an alias or `latest`; None for the version that is served."""

    name: str
    version: str | None = None

    @property
    def number(self) -> int | None:
        """The version, if it is written as a number."""
        return int(self.version) if self.version is not None and self.version.isdecimal() else None

    @classmethod
    def parse(cls, text: str) -> Self:
        """The reference in `name` or `name@version`. Neither part is checked: the store does that."""
        name, _, version = text.partition("@")
        return cls(name, version or None)
