"""Retention: which versions of a model are deleted by rule."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from model_store.aliases import Aliases
from model_store.backends.backend import Backend
from model_store.clock import Clock, from_rfc3339, rfc3339
from model_store.collection import Collection
from model_store.errors import (
    AliasCorrupt,
    NotFound,
    ObjectExists,
    ObjectNotFound,
    RetentionCorrupt,
    RetentionNotFound,
    VersionInUse,
)
from model_store.names import check_name
from model_store.sealed import seal, unseal
from model_store.series import Series

KIND = "retention"


@dataclass(frozen=True)
class Rule:
    """What is kept: the `last` versions, and those published in the last `days`; None says nothing. A version that neither
    keeps is deleted. A rule of two None is none."""

    last: int | None
    days: int | None
    created_at: str = ""  # RFC 3339 UTC


class Retention:
    """Rules under `<prefix>/<name>/retention/<number>`, a log whose highest entry is in force.

    Whatever the rule, the latest version is kept, and each version that an alias points at or would after a rollback. Every
    method raises InvalidName for an illegal name.
    """

    def __init__(self, backend: Backend, collection: Collection, aliases: Aliases, *, now: Clock) -> None:
        self._backend = backend
        self._collection = collection
        self._aliases = aliases
        self._now = now

    def get(self, name: str) -> Rule:
        """The rule in force. Raises RetentionNotFound, RetentionCorrupt, MadeByNewer."""
        numbers = self.log(name).numbers()
        rule = self.entry(name, numbers[-1]) if numbers else None
        if rule is None or (rule.last is None and rule.days is None):
            raise RetentionNotFound(name)
        return rule

    def put(self, name: str, last: int | None, days: int | None) -> Rule:
        """Keep the `last` versions and those of the last `days`, and no others, from now on.

        Raises ValueError unless one is given and both are positive; NameNotFound.
        """
        if (last is None and days is None) or any(each is not None and each < 1 for each in (last, days)):
            raise ValueError("a rule keeps at least one version, or those of at least one day")
        self._collection.latest_number(name)
        return self._append(name, Rule(last, days, rfc3339(self._now())))

    def delete(self, name: str) -> Rule:
        """Keep all versions from now on; the rule until then, of two None when it cannot be read. Raises RetentionNotFound."""
        try:
            rule = self.get(name)
        except RetentionCorrupt:
            rule = Rule(None, None)
        self._append(name, Rule(None, None, rfc3339(self._now())))
        return rule

    def expired(self, name: str, rule: Rule) -> list[int]:
        """The versions that `rule` would delete now, rising. Raises NameNotFound, and AliasCorrupt while an alias is damaged."""
        numbers = self._collection.numbers(name)
        kept = self._aliased(name)
        older = numbers[:-1] if rule.last is None else numbers[: -rule.last]
        limit = None if rule.days is None else self._moment_before(rule.days)
        return [number for number in older if number not in kept and self._is_older(name, number, limit)]

    def apply(self, name: str, number: int, is_used: Callable[[], bool]) -> bool:
        """Delete a version that has expired, unless it is needed by now; whether it was deleted.

        `is_used` is asked right before the deletion. Raises AliasCorrupt.
        """

        def guard(reserved: Mapping[str, int]) -> None:
            self._aliases.check_unused(name, number, reserved)
            kept = self._aliased(name)
            if number in kept or number == self._collection.latest_number(name) or is_used():
                raise VersionInUse(name, number, [])

        with suppress(VersionInUse, NotFound):
            self._collection.delete(name, number, guard=guard)
            return True
        return False

    def log(self, name: str) -> Series:
        """The keys of the rules."""
        check_name(name)
        return Series(self._backend, f"{self._collection.prefix}/{name}", KIND)

    def entry(self, name: str, number: int) -> Rule:
        """The rule with that number. Raises RetentionCorrupt, MadeByNewer."""
        log = self.log(name)
        try:
            fields, sealed = unseal(log.key(number), log.read(number))
            rule = Rule(**fields)
            from_rfc3339(rule.created_at)
        except (ObjectNotFound, ValueError, TypeError) as error:
            raise RetentionCorrupt(name) from error
        sound = all(each is None or (type(each) is int and each > 0) for each in (rule.last, rule.days))
        if not sealed or not sound:
            raise RetentionCorrupt(name)
        return rule

    def _append(self, name: str, rule: Rule) -> Rule:
        log = self.log(name)
        while True:
            number = max(log.numbers(), default=0) + 1
            fields = {"last": rule.last, "days": rule.days, "created_at": rule.created_at}
            try:
                log.create(number, seal(log.key(number), fields))
            except ObjectExists:
                continue  # another change was faster; this one is the later
            log.mark(number)
            return rule

    def _aliased(self, name: str) -> set[int]:
        """The versions that aliases point at, or would after a rollback. Raises AliasCorrupt."""
        kept: set[int] = set()
        for alias, entry in self._aliases.all(name).items():
            before = self._aliases.before(name, alias, entry.number)
            for each in (entry, before):
                if each is not None and each.damaged:
                    raise AliasCorrupt(name, alias, each.number)
                if each is not None and each.version is not None:
                    kept.add(each.version)
        return kept

    def _is_older(self, name: str, number: int, limit: datetime | None) -> bool:
        """Whether the version was published before `limit`; not if its record is damaged, or it was deleted."""
        record = self._collection.records(name).readable(number)
        return record is not None and (limit is None or from_rfc3339(record.created_at) < limit)

    def _moment_before(self, days: int) -> datetime:
        try:
            return self._now() - timedelta(days=days)
        except OverflowError:
            return datetime.min.replace(tzinfo=self._now().tzinfo)
