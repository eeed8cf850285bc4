"""Delete the versions that retention rules do not keep, except those that trainings start from."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from model_store import Store
from model_store.errors import NotFound, StoreError
from model_store.retention import Rule
from service.jobs.journal import Journal
from service.model_reference import ModelReference

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Deleted:
    """A version that was deleted, with its digest if that could be read."""

    name: str
    number: int
    digest: str | None


def expired(store: Store, journal: Journal, name: str, rule: Rule) -> list[int]:
    """The versions of a model that the rule would delete now, rising.

    Raises:
        NameNotFound: there is no such model.
    """
    used = _used(journal)
    return [number for number in store.retention.expired(name, rule) if (name, number) not in used]


def apply_rules(store: Store, journal: Journal) -> Iterator[Deleted]:
    """Deletes what the rules of all models do not keep; each version is yielded once it is deleted. A model whose rule,
    aliases or versions cannot be read is left for the next time."""
    for name in store.models.names():
        try:
            numbers = expired(store, journal, name, store.retention.get(name))
        except NotFound:
            continue
        except StoreError as error:
            log.warning("the retention rule of %s is not applied: %s", name, error)
            continue
        for number in numbers:
            with suppress(StoreError):
                record = store.models.record(name, number)
                if store.retention.apply(name, number, partial(_is_used, journal, name, number)):
                    yield Deleted(name, number, None if record is None else record.digest)


def _is_used(journal: Journal, name: str, number: int) -> bool:
    return (name, number) in _used(journal)


def _used(journal: Journal) -> set[tuple[str, int]]:
    """The versions that trainings which have not ended start from."""
    references = (job.spec.get("initial") for job in journal.unfinished())
    found = (ModelReference.parse(each) for each in references if isinstance(each, str))
    return {(each.name, each.number) for each in found if each.number is not None}
