"""The uses of a version by aliases, until its deletion: one log for each version, which orders the two."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from model_store.backends.backend import Backend
from model_store.clock import from_rfc3339
from model_store.errors import ObjectExists, ObjectNotFound
from model_store.sealed import seal, unseal
from model_store.series import Series


@dataclass(frozen=True)
class Use:
    """The newest entry of a version's log.

    `aliases` has, for each alias that was ever to point at the version, the highest entry of that alias that was
    reserved for it. With `deleted_at` (RFC 3339 UTC) it is the tombstone, the last there ever is; `content` is then the
    content of the version that was deleted, where that was known.
    """

    number: int = 0
    aliases: Mapping[str, int] = field(default_factory=dict)
    deleted_at: str | None = None
    content: str | None = None

    @property
    def deleted(self) -> bool:
        """Whether the version was deleted."""
        return self.deleted_at is not None


class Uses:
    """The log of one version, under `<parent>/uses/<version>/<number>`, by put-if-absent.

    An entry that cannot be read is ignored but for its number; `verify` reports it. Tombstones are marked, and count even when
    they are damaged or lost.
    """

    def __init__(self, backend: Backend, parent: str, version: int) -> None:
        self.series = Series(backend, parent, f"uses/{version}")

    def last(self) -> Use:
        """The newest entry; number 0 when there is none. Raises MadeByNewer."""
        numbers = self.series.numbers()
        for number in reversed(numbers):
            try:
                use = self.read(number)
            except (ValueError, ObjectNotFound):
                if self.series.marked(number):
                    return Use(number, deleted_at="unknown")
                continue
            return use if use.deleted else Use(numbers[-1], use.aliases)
        return Use(numbers[-1] if numbers else 0)

    def reserve(self, alias: str, entry: int) -> bool:
        """Reserve the version for this entry of the alias; False when the version is deleted."""
        while True:
            last = self.last()
            if last.deleted or last.aliases.get(alias, 0) >= entry:
                return not last.deleted
            try:
                self._append(Use(last.number + 1, {**last.aliases, alias: entry}))
            except ObjectExists:
                continue

    def end(self, last: Use, content: str | None, deleted_at: str) -> None:
        """Write the tombstone right after `last`. Raises ObjectExists when another entry came in between."""
        self._append(Use(last.number + 1, last.aliases, deleted_at, content))
        self.series.mark(last.number + 1)

    def read(self, number: int) -> Use:
        """That entry. Raises ValueError when it is damaged, ObjectNotFound, MadeByNewer."""
        fields, sealed = unseal(self.series.key(number), self.series.read(number))
        fields.pop("by", None)
        try:
            use = Use(number, **fields)
            if not sealed or any(type(entry) is not int for entry in use.aliases.values()):
                raise ValueError("not an entry of a version's log")
            if use.deleted_at is not None:
                from_rfc3339(use.deleted_at)
        except (TypeError, AttributeError) as error:
            raise ValueError("not an entry of a version's log") from error
        return use

    def _append(self, use: Use) -> None:
        fields: dict[str, Any] = {"aliases": dict(use.aliases), "by": uuid.uuid4().hex}
        if use.deleted_at is not None:
            fields |= {"deleted_at": use.deleted_at, "content": use.content}
        data = seal(self.series.key(use.number), fields)
        try:
            self.series.create(use.number, data)
        except ObjectExists:
            # Our own bytes are our own write, which a backend has repeated.
            if self.series.find(use.number) != data:
                raise
