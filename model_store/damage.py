"""One finding of `verify`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Damage:
    """What is wrong with one file of one version; `number` is None for damage outside any version (of an alias)."""

    name: str
    number: int | None
    file: str
    reason: str
