"""Counts of rows for drift, in each kind of journal."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, update

from service.jobs import tables
from service.jobs.drift_counts import HOUR, KEPT_HOURS, DriftCounts, HourOfVersion

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
THIS_HOUR = int(NOW.timestamp() // HOUR)
FIRST = HourOfVersion("line", 1, "d1", THIS_HOUR, "a", 3, [1, 2])


def test_the_counts_of_all_processes_are_added(engine: Engine) -> None:
    counts = DriftCounts(engine)
    counts.put([FIRST, replace(FIRST, hour=THIS_HOUR - 1)])
    counts.put([replace(FIRST, source="b", rows=2**40, counts=[2**40, 0])])
    assert counts.total("line", 1, "d1", THIS_HOUR, 2) == (3 + 2**40, [1 + 2**40, 2])
    assert counts.total("line", 1, "d1", THIS_HOUR - 1, 2)[0] == 6 + 2**40


def test_a_process_replaces_its_counts_of_an_hour(engine: Engine) -> None:
    counts = DriftCounts(engine)
    for _ in range(2):  # a write that is repeated counts nothing twice
        counts.put([FIRST])
    counts.put([replace(FIRST, rows=5, counts=[2, 3])])
    assert counts.total("line", 1, "d1", 0, 2) == (5, [2, 3])


def test_other_versions_and_damaged_counts_are_left_out(engine: Engine) -> None:
    counts = DriftCounts(engine)
    counts.put([FIRST, replace(FIRST, source="b", digest="d2"), replace(FIRST, version=2)])
    counts.put([replace(FIRST, source=name) for name in ("c", "d", "e")])
    table = tables.drift_counts
    with engine.begin() as connection:
        for source, text in (("c", "[1, 2"), ("d", "[1]"), ("e", '[1, "2"]')):
            connection.execute(update(table).where(table.c.source == source).values(counts=text))
    assert counts.total("line", 1, "d1", 0, 2) == (3, [1, 2])


def test_old_counts_are_forgotten(engine: Engine) -> None:
    DriftCounts(engine).put([FIRST])
    for hours, kept in ((KEPT_HOURS, 3), (KEPT_HOURS + 1, 0)):
        DriftCounts(engine, clock=lambda: NOW + timedelta(hours=hours)).forget_old()  # noqa: B023 - used at once
        assert DriftCounts(engine).total("line", 1, "d1", 0, 2)[0] == kept
