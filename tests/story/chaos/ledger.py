"""What the service has promised in a campaign, and what was found wrong."""

import threading
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Order:
    """A training that was asked for, under a key that makes repeats harmless. It is acknowledged once it has an id."""

    key: str
    recipe: str
    job_id: str = ""
    tries: int = 0
    cancel: str = ""  # "asked" while nobody has answered, "done" once the service has said yes
    paused: bool = False  # a pause may have been heard: somebody has to resume it
    ended: bool = False


@dataclass
class Reference:
    """What a recipe comes to when nothing disturbs it."""

    digest: str
    metrics: dict[str, Any]
    predictions: Any


@dataclass
class Ledger:
    """Written by several threads; each writes to entries of its own, and all may append."""

    orders: list[Order] = field(default_factory=list)
    references: dict[str, Reference] = field(default_factory=dict)
    aliases: dict[str, set[int | None]] = field(default_factory=dict)  # a model's possible targets of `production`
    imported: set[str] = field(default_factory=set)  # digests
    tables: dict[int, str] = field(default_factory=dict)  # digests of the scratch data set's versions
    counts: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def acknowledged(self) -> list[Order]:
        """The orders that the service has taken."""
        return [order for order in list(self.orders) if order.job_id]

    def count(self, what: str, times: int = 1) -> None:
        """One more of these."""
        with self._lock:
            self.counts[what] = self.counts.get(what, 0) + times

    def find(self, what: str) -> None:
        """Something that must not be."""
        with self._lock:
            self.findings.append(what)

    def expect(self, holds: object, what: str) -> None:
        """A finding unless it holds."""
        if not holds:
            self.find(what)
