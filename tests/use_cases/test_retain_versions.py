"""Retention keeps the versions that trainings start from."""

from pathlib import Path

from model_store import Store
from service.jobs.database import open_database
from service.jobs.job_queue import JobQueue
from service.jobs.journal import Journal
from service.use_cases.retain_versions import Deleted, apply_rules, expired


def test_versions_that_unfinished_trainings_start_from_are_kept(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store")
    digests = [store.models.publish(name, {"n": n}, {}).digest for name in ("line", "other") for n in range(5)]
    engine = open_database(f"sqlite:///{tmp_path / 'journal.sqlite'}")
    journal, queue = Journal(engine), JobQueue(engine)
    jobs = [journal.submit("line", {"initial": f"line@{number}"}, {})[0] for number in (1, 2, 3)]
    claimed = queue.claim("me")
    assert claimed is not None and claimed.id == jobs[0].id
    journal.pause(jobs[1].id)
    journal.cancel(jobs[2].id)
    rule = store.retention.put("line", 1, None)
    assert expired(store, journal, "line", rule) == [3, 4]
    deleted = apply_rules(store, journal)
    assert next(deleted) == Deleted("line", 3, digests[2])
    journal.submit("line", {"initial": "line@4"}, {})  # right before its deletion
    assert list(deleted) == []
    assert store.models.numbers("line") == [1, 2, 4, 5]
    assert store.models.numbers("other") == [1, 2, 3, 4, 5], "it has no rule"
    engine.dispose()
