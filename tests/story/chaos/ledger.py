"""What the service has acknowledged in a campaign, and what was found wrong."""

import threading
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Order:
    """A requested training; its idempotency key makes repeats harmless. It has an id once it is acknowledged."""

    key: str
    recipe: str
    job_id: str = ""
    tries: int = 0
    cancel: str = ""  # "asked" before the response, "done" after a successful one
    paused: bool = False  # the job may be paused and must be resumed
    ended: bool = False


@dataclass
class Reference:
    """The result of a recipe in an undisturbed training."""

    digest: str
    metrics: dict[str, Any]
    predictions: Any


@dataclass
class Ledger:
    """Written by several threads: each writes only its own entries, and all may append."""

    orders: list[Order] = field(default_factory=list)
    references: dict[str, Reference] = field(default_factory=dict)
    aliases: dict[str, set[int | None]] = field(default_factory=dict)  # a model's possible targets of `production`
    imported: set[str] = field(default_factory=set)  # digests
    tables: dict[int, str] = field(default_factory=dict)  # digests of the scratch data set's versions
    counts: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def acknowledged(self) -> list[Order]:
        """The trainings that the service has accepted."""
        return [order for order in list(self.orders) if order.job_id]

    def count(self, what: str, times: int = 1) -> None:
        """Adds to a counter."""
        with self._lock:
            self.counts[what] = self.counts.get(what, 0) + times

    def add_finding(self, what: str) -> None:
        """Records a violation."""
        with self._lock:
            self.findings.append(what)

    def expect(self, holds: object, what: str) -> None:
        """Records a violation unless it holds."""
        if not holds:
            self.add_finding(what)
