"""What a job has gone through: its attempts and its events, each as it was written or told to be damaged; and what should be
there and is not is told to be damaged, too. A job's row says, under a seal, how many there were."""

from sqlalchemy import Connection, select

from service.jobs import tables
from service.jobs.job import FINAL, AttemptRecord, Event
from service.jobs.rows import attempt_of, damage, event_of
from service.jobs.seals import Row, seal_of, state_broken

MOST_METRIC_EVENTS = 10_000  # of one job; beyond them housekeeping removes the oldest
LARGEST_NUMBER = 2**31 - 1  # of an event: what PostgreSQL's integer holds


def attempts(connection: Connection, job: Row) -> list[AttemptRecord]:
    """The attempts at the job, rising."""
    query = select(tables.attempts).where(tables.attempts.c.job_seq == job["seq"]).order_by(tables.attempts.c.number)
    there = {row["number"]: attempt_of(row, job["id"]) for row in connection.execute(query).mappings()}
    if job["seal"] == seal_of("jobs", job):
        lost = {*range(1, job["attempt"] + 1)} - there.keys()
        there |= {number: AttemptRecord(number, "", None, None, damage("this attempt")) for number in lost}
    return [there[number] for number in sorted(there)]


def events(connection: Connection, job: Row, after: int, limit: int, most_bytes: int | None) -> list[Event]:
    """The job's events numbered above `after`, rising; no more once they have more than so many bytes."""
    after, table = min(after, LARGEST_NUMBER), tables.events
    query = select(table).where(table.c.job_seq == job["seq"], table.c.number > after)
    found, size, ended = list[Event](), 0, True
    for row in connection.execute(query.order_by(table.c.number).limit(limit)).mappings():
        found.append(event_of(row, job["id"]))
        size += len(row["data"])
        if most_bytes is not None and size > most_bytes:
            ended = False
            break
    ended = ended and len(found) < limit
    # Nothing is missing where events are removed by the rules: the oldest of many, and all of a job that has ended long ago.
    if state_broken(job) or job["last_event"] > MOST_METRIC_EVENTS or (not found and job["status"] in FINAL):
        return found
    return _with_lost(found, after, job["last_event"] if ended else None)[:limit]


def _with_lost(found: list[Event], after: int, newest: int | None) -> list[Event]:
    """The events, and before each gap's end one with the number of the last that is lost."""
    told = list[Event]()
    for event in found:
        if event.id > after + 1:
            told.append(_lost(event.id - 1))
        told.append(event)
        after = event.id
    return [*told, _lost(newest)] if newest is not None and newest > after else told


def _lost(number: int) -> Event:
    return Event(number, "message", "", {"error": damage("this event")})
