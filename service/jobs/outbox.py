"""The outbox: webhook deliveries to be made. The transaction that ends a job inserts its delivery."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import Connection, or_, select, update

from service.jobs import tables
from service.jobs.job import DAMAGED, Job
from service.jobs.journal_base import JournalBase
from service.jobs.rows import damaged, job_of, time_text
from service.jobs.seals import Row, broken, sealed

SLACK = 30.0  # seconds by which two readings of clocks may differ, of two machines or before and after a wait for the journal

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Delivery:
    """One try of a delivery. `tries` counts it, too, and distinguishes it from the tries of other services."""

    job: Job
    seq: int
    url: str
    tries: int
    began: datetime
    end: int = 1  # which of the job's ends it reports: a job that was resumed ends more than once

    @property
    def message_id(self) -> str:
        """The id by which a receiver recognises a repeated delivery."""
        return self.job.id if self.end == 1 else f"{self.job.id}-{self.end}"


class Outbox(JournalBase):
    """The deliveries of all services on one journal. A try belongs to the service that claimed it until its lease expires."""

    def claim(self, *, lease: float, schedule: Sequence[float]) -> Delivery | None:
        """Claims a delivery that is due for `lease` seconds; None when none is.

        A delivery whose time is further away than any wait after so many tries, by the schedule or a lease, is due as well:
        the clock was set back. SLACK is added, since another service may have claimed it after this one read its clock.
        """
        due = tables.deliveries.c
        while True:
            now = self._clock()
            too_far = [
                due.tries.between(first, last) & (due.next_at > time_text(now + timedelta(seconds=wait + SLACK)))
                for first, last, wait in _waits(lease, schedule)
            ]
            query = (
                select(tables.deliveries)
                .where(or_(due.next_at <= time_text(now), *too_far))
                .order_by(due.next_at)
                .limit(1)
            )
            with self._read() as connection:
                row = connection.execute(query).mappings().one_or_none()
            if row is None:
                return None
            lease_until = time_text(now + timedelta(seconds=lease))
            with self._write() as connection:
                if (delivery := _claim(connection, row, lease_until, now)) is not None:
                    return delivery

    def settle(self, delivery: Delivery, outcome: str, *, again: float | None) -> None:
        """Stores how the try went, and in how many seconds the next one is due; None for never."""
        next_at = None if again is None else time_text(self._clock() + timedelta(seconds=again))
        due = tables.deliveries.c
        ours = (due.job_seq == delivery.seq) & (due.tries == delivery.tries) & (due.end == delivery.end)
        with self._write() as connection:
            row = connection.execute(select(tables.deliveries).where(ours)).mappings().one_or_none()
            if row is not None and not broken("deliveries", row, delivery.job.id):
                settled = sealed("deliveries", {**row, "next_at": next_at, "outcome": outcome}, delivery.job.id)
                connection.execute(update(tables.deliveries).where(ours).values(settled))


def _claim(connection: Connection, row: Row, until: str, now: datetime) -> Delivery | None:
    """Claims the delivery until then. A damaged one, or one of a damaged job, is never made: its URL may be another's."""
    due = tables.deliveries.c
    seen = (due.job_seq == row["job_seq"]) & (due.tries == row["tries"]) & (due.next_at == row["next_at"])
    job = connection.execute(select(tables.jobs).where(tables.jobs.c.seq == row["job_seq"])).mappings().one_or_none()
    if job is None or damaged(job) or broken("deliveries", row, job["id"]):
        log.error("a webhook is not delivered: its row, or that of its job %r, is damaged", job and job["id"])
        connection.execute(update(tables.deliveries).where(seen).values(next_at=None, outcome=DAMAGED))
        return None
    values = sealed("deliveries", {**row, "tries": row["tries"] + 1, "next_at": until}, job["id"])
    if connection.execute(update(tables.deliveries).where(seen).values(values)).rowcount != 1:
        return None
    return Delivery(job_of(job), row["job_seq"], row["url"], values["tries"], now, row["end"])


def _waits(lease: float, schedule: Sequence[float]) -> Iterator[tuple[int, int, float]]:
    """The longest possible wait in seconds after so many to so many tries."""
    longest = [lease, *(max(lease, wait) for wait in schedule)]  # after no try, after one, …
    for wait, tries in groupby(range(len(longest)), longest.__getitem__):
        first, *others = tries
        yield first, others[-1] if others else first, wait
