"""The attempts and events of a job. What is damaged is marked so, and so is what is missing: the job's row says, under its
seal, how many there were."""

from collections.abc import Collection

from sqlalchemy import Connection, select

from service.jobs import tables
from service.jobs.job import FINAL, AttemptRecord, Event
from service.jobs.rows import attempt_of, damage, event_of
from service.jobs.seals import Row, seal_of, state_broken

LARGEST_NUMBER = 2**31 - 1  # of an event: the largest integer of PostgreSQL


def attempts(connection: Connection, job: Row) -> list[AttemptRecord]:
    """The attempts at the job, in order."""
    query = select(tables.attempts).where(tables.attempts.c.job_seq == job["seq"]).order_by(tables.attempts.c.number)
    there = {row["number"]: attempt_of(row, job["id"]) for row in connection.execute(query).mappings()}
    if job["seal"] == seal_of("jobs", job):
        lost = {*range(1, job["attempt"] + 1)} - there.keys()
        there |= {number: AttemptRecord(number, "", None, None, damage("this attempt")) for number in lost}
    return [there[number] for number in sorted(there)]


def events(
    connection: Connection,
    job: Row,
    after: int,
    limit: int,
    most_bytes: int | None,
    most_metric_events: int,
    types: Collection[str] = (),
) -> list[Event]:
    """The job's events numbered above `after`, in order: at most `limit`, and no more after `most_bytes`. Events are missing
    if they are not there and housekeeping, which keeps `most_metric_events`, cannot have removed them. With `types` only events
    of these, and none is known to be missing."""
    after, table = min(after, LARGEST_NUMBER), tables.events
    query = select(table).where(table.c.job_seq == job["seq"], table.c.number > after)
    if types:
        query = query.where(table.c.type.in_(types))
    found, size, ended = list[Event](), 0, True
    for row in connection.execute(query.order_by(table.c.number).limit(limit)).mappings():
        found.append(event_of(row, job["id"]))
        size += len(row["data"])
        if most_bytes is not None and size > most_bytes:
            ended = False
            break
    ended = ended and len(found) < limit
    if types or state_broken(job) or job["last_event"] > most_metric_events or (not found and job["status"] in FINAL):
        return found
    return _with_lost(found, after, job["last_event"] if ended else None)[:limit]


def _with_lost(found: list[Event], after: int, newest: int | None) -> list[Event]:
    """The events, and for each gap one with the number of the last that is missing."""
    events = list[Event]()
    for event in found:
        if event.id > after + 1:
            events.append(_lost(event.id - 1))
        events.append(event)
        after = event.id
    return [*events, _lost(newest)] if newest is not None and newest > after else events


def _lost(number: int) -> Event:
    return Event(number, "message", "", {"error": damage("this event")})
