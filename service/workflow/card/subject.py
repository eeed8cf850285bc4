"""What a model card is about."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Subject:
    """A version of a model.

    `manifest` is its manifest, `digest` (hex) that manifest's. A manifest names neither the model nor the number of the version:
    `name` and `number` are None in a card that is packed with it, as into a bundle, and read the same wherever it is imported.
    `created_at` (RFC 3339) is when it was published. `lineage` is what `GET …/lineage` answers; without it the card has the
    lineage that the manifest records. `plots` are the addresses of its plots, or `data:` URLs, by their names.
    """

    manifest: Mapping[str, Any]
    digest: str
    name: str | None = None
    number: int | None = None
    created_at: str | None = None
    lineage: Mapping[str, Any] | None = None
    plots: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Its name and number, as far as they are known."""
        return "Model card" if self.name is None else f"{self.name}, version {self.number}"

    @property
    def path(self) -> str:
        """The path of the version in the HTTP API, with placeholders for what is not known."""
        number = "VERSION" if self.number is None else self.number
        return f"/v1/models/{self.name or 'NAME'}/versions/{number}"
