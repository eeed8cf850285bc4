"""The outbox: what is still to be told to whom. The transaction that ends a job puts it in."""

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

SLACK = 30.0  # seconds by which two looks at a clock may differ: one waits for the journal, or has another clock

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Delivery:
    """One try to tell of a job's end. `tries` counts it too, and says whose the delivery is."""

    job: Job
    seq: int
    url: str
    tries: int
    began: datetime
    end: int = 1  # which of the job's ends it tells of: the first, or a later one of a job that was resumed

    @property
    def message_id(self) -> str:
        """By which a receiver knows the same end when it is told of it again."""
        return self.job.id if self.end == 1 else f"{self.job.id}-{self.end}"


class Outbox(JournalBase):
    """The deliveries of all services on one journal. Each try belongs to the one that claimed it, while its lease lasts."""

    def claim(self, *, lease: float, schedule: Sequence[float]) -> Delivery | None:
        """A delivery that is due, now this caller's for `lease` seconds; None when there is none.

        One whose time is further away than the wait after so many tries, by the schedule or by a lease, which nobody could
        have meant, is due as well: the clock was turned back. Not at once: another service may have claimed it since we
        looked at ours.
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
        """How the try went, and in how many seconds the next one is due; None: never."""
        next_at = None if again is None else time_text(self._clock() + timedelta(seconds=again))
        due = tables.deliveries.c
        ours = (due.job_seq == delivery.seq) & (due.tries == delivery.tries) & (due.end == delivery.end)
        with self._write() as connection:
            row = connection.execute(select(tables.deliveries).where(ours)).mappings().one_or_none()
            if row is not None and not broken("deliveries", row, delivery.job.id):
                settled = sealed("deliveries", {**row, "next_at": next_at, "outcome": outcome}, delivery.job.id)
                connection.execute(update(tables.deliveries).where(ours).values(settled))


def _claim(connection: Connection, row: Row, until: str, now: datetime) -> Delivery | None:
    """The delivery as this caller's until then. One that is damaged, or whose job is, is never made: it may go to somebody
    else."""
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
    """The longest wait that can be meant, in seconds, after so many to so many tries."""
    meant = [lease, *(max(lease, wait) for wait in schedule)]  # after no try, after one, …
    for wait, tries in groupby(range(len(meant)), meant.__getitem__):
        first, *others = tries
        yield first, others[-1] if others else first, wait
