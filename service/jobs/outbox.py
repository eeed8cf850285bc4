"""The outbox: what is still to be told to whom. The transaction that ends a job puts it in."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import or_, select, update

from service.jobs import tables
from service.jobs.book import Book
from service.jobs.job import Job
from service.jobs.rows import job_of, time_text

SLACK = 30.0  # seconds by which two looks at a clock may differ: one waits for the journal, or has another clock


@dataclass(frozen=True)
class Delivery:
    """One try to tell of a job's end. `tries` counts it too, and says whose the delivery is."""

    job: Job
    seq: int
    url: str
    tries: int
    began: datetime


class Outbox(Book):
    """The deliveries of all services on one journal. Each try belongs to the one that claimed it, while its lease lasts."""

    def claim(self, *, lease: float, schedule: Sequence[float]) -> Delivery | None:
        """A delivery that is due, now this caller's for `lease` seconds; None when there is none.

        One whose time is further away than the wait after so many tries, by the schedule or by a lease, which nobody could
        have meant, is due as well: the clock was turned back. Not at once: another service may have claimed it since we
        looked at ours.
        """
        due, jobs = tables.deliveries.c, tables.jobs
        while True:
            now = self._clock()
            too_far = [
                due.tries.between(first, last) & (due.next_at > time_text(now + timedelta(seconds=wait + SLACK)))
                for first, last, wait in _waits(lease, schedule)
            ]
            query = (
                select(due.job_seq, due.url, due.tries, due.next_at)
                .where(or_(due.next_at <= time_text(now), *too_far))
                .order_by(due.next_at)
                .limit(1)
            )
            with self._read() as connection:
                row = connection.execute(query).mappings().one_or_none()
            if row is None:
                return None
            seen = (due.job_seq == row["job_seq"], due.tries == row["tries"], due.next_at == row["next_at"])
            values = {"tries": row["tries"] + 1, "next_at": time_text(now + timedelta(seconds=lease))}
            with self._write() as connection:
                if connection.execute(update(tables.deliveries).where(*seen).values(values)).rowcount == 1:
                    ended = connection.execute(select(jobs).where(jobs.c.seq == row["job_seq"])).mappings().one()
                    return Delivery(job_of(ended), row["job_seq"], row["url"], values["tries"], now)

    def settle(self, delivery: Delivery, outcome: str, *, again: float | None) -> None:
        """How the try went, and in how many seconds the next one is due; None: never."""
        next_at = None if again is None else time_text(self._clock() + timedelta(seconds=again))
        ours = (tables.deliveries.c.job_seq == delivery.seq, tables.deliveries.c.tries == delivery.tries)
        with self._write() as connection:
            connection.execute(update(tables.deliveries).where(*ours).values(next_at=next_at, outcome=outcome))


def _waits(lease: float, schedule: Sequence[float]) -> Iterator[tuple[int, int, float]]:
    """The longest wait that can be meant, in seconds, after so many to so many tries."""
    meant = [lease, *(max(lease, wait) for wait in schedule)]  # after no try, after one, …
    for wait, tries in groupby(range(len(meant)), meant.__getitem__):
        first, *others = tries
        yield first, others[-1] if others else first, wait
