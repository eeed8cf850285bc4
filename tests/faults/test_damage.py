"""Files of a home outside of the store, damaged in every way: the damage is reported before use, or all results are as before.
The same for the store: `tests/model_store/test_store_damage.py`; for everything, through a service: `scripts/damage`.
"""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from sqlalchemy import create_engine, delete, insert, select, update

from model_store import Store, read_bundle, write_bundle
from model_store.durable_files import sync
from model_store.errors import InvalidBundle
from service.access.audit import Audit, Change
from service.access.errors import KeysCorrupt
from service.access.keyring import Keyring
from service.access.scopes import Scope
from service.jobs.database import open_database
from service.jobs.errors import JobNotFound, JournalNotOpened, JournalUnavailable, MetricsDamaged
from service.jobs.job import DAMAGED, Status
from service.jobs.job_queue import JobQueue
from service.jobs.journal import Journal
from service.jobs.tables import jobs as jobs_table
from service.jobs.tables import metadata
from service.workflow.checkpoint_folder import CheckpointFolder
from tests.examples import examples
from tests.faults.damage.damages import Damage, draw
from tests.jobs.steps import record, submit
from tests.model_store.source_files import source_files

SEED = 20


def each_damage(path: Path, alike: list[Path], count: int, ways: str = "") -> Iterator[Damage]:
    """That many damages to the file, one after another; the file is restored at the end."""
    rng = random.Random(SEED)  # noqa: S311 - no secret
    done = 0
    while done < examples(count):
        damage = draw(path, alike, rng)
        if damage.after != damage.whole and damage.way not in ways:
            done += 1
            damage.inflict()
            yield damage
            damage.mend()


def test_a_bundle(tmp_path: Path) -> None:
    store, paths = Store.open(tmp_path / "store"), []
    for number in (1, 2):
        files = source_files(tmp_path, {"weights": bytes(range(200)) * number, "plots/points": b"[1]"})
        version = store.models.publish("line", {"format": 1, "number": number}, files)
        paths.append(tmp_path / f"{number}.zip")
        with paths[-1].open("wb") as target:
            write_bundle(version, store.models, target)

    def read() -> Any:
        draft = read_bundle(paths[0], tmp_path, 2**20)
        content = {name: path.read_bytes() for name, path in draft.files.items()}
        for path in draft.files.values():
            path.unlink()
        return draft.manifest, content

    whole = read()
    for damage in each_damage(paths[0], [], 60, "loss"):
        try:
            assert read() == whole, damage.way
        except InvalidBundle:
            continue


def test_a_checkpoint(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "job", sync)
    for epoch in (1, 2):
        folder.save({"epoch": epoch, "weights": torch.full((8, 8), float(epoch))})
    older, newest = sorted((tmp_path / "job").iterdir())
    for damage in each_damage(newest, [older], 20):
        found = folder.load()
        assert found.state is not None, damage.way
        assert (found.state["epoch"], found.state["weights"].sum()) == (1, 64), damage.way
        assert found.damaged == (damage.after is not None), damage.way
        damage.path.touch()  # loading has removed it, and it will be restored


def test_the_audit_log(tmp_path: Path) -> None:
    audit = Audit(tmp_path)
    for number in range(5):
        audit.append("ann", [Change("alias.moved", f"line/{number}", 1, 2)], status=200)
    (path,) = tmp_path.iterdir()
    before = {line["id"]: line for line in audit.read(None, 100)[0]}
    other = tmp_path / "2026-01-31.jsonl"
    other.write_bytes(path.read_bytes())
    assert all("error" in line for line in audit.read(None, 5)[0])  # the lines are those of another day
    other.unlink()
    for damage in each_damage(path, [], 60, "cut loss zeros"):
        if damage.after is None or damage.after[:-1] == damage.whole[:-1]:
            continue  # a last line without its end counts as unfinished
        found = audit.read(None, 100)[0]
        marked = [line for line in found if "error" in line]
        assert all(line == before[line["id"]] for line in found if line not in marked), damage.way
        assert marked or found == list(before.values()), damage.way


def test_damaged_keys_never_grant_access(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    secrets = {name: keyring.create(name, [Scope.PREDICT])[1] for name in ("ann", "bob", "gone")}
    keyring.revoke("gone")
    before = {key.id: key for key in keyring.all()}
    path = tmp_path / "keys.json"
    for damage in each_damage(path, [], 40, "loss"):
        try:
            found = Keyring(tmp_path)
        except KeysCorrupt:
            continue
        assert found.on, damage.way
        assert found.verify(f"Bearer {secrets['gone']}".encode()) is None, damage.way
        valid = [found.verify(f"Bearer {secrets[name]}".encode()) for name in ("ann", "bob")]
        assert all(key is None or key.level is Scope.PREDICT for key in valid), damage.way
        whole = {key.id: key for key in found.all() if not key.damaged}
        assert whole.items() <= before.items(), damage.way
        assert whole == before or any(key.damaged for key in found.all()), damage.way


def all_queries(journal: Journal, jobs: list[str]) -> dict[str, Any]:
    """Every query about the jobs, each on its own."""
    queries: dict[str, Callable[[], Any]] = {
        "list": lambda: [shown(job) for job in journal.list_jobs()[0]],
        "counts": lambda: sum(journal.counts().values()),  # an invalid status counts as failed
    }
    for each in jobs:
        queries[each] = lambda each=each: shown(journal.get(each))  # type: ignore[misc]
        for query in (journal.attempts, journal.events, journal.metrics):
            queries[f"{query.__name__} of {each}"] = lambda each=each, query=query: query(each)  # type: ignore[misc]
    return {question: answered(query) for question, query in queries.items()}


def shown(job: Any) -> Any:
    return DAMAGED if job.damaged else job


def answered(query: Callable[[], Any]) -> Any:
    try:
        return query()
    except (JournalUnavailable, MetricsDamaged):
        return DAMAGED
    except JobNotFound:
        return None


def journal_with_jobs(home: Path) -> tuple[Path, list[str]]:
    """A journal with a job of each state."""
    home.mkdir(exist_ok=True)
    path = home / "journal.sqlite"
    engine = open_database(f"sqlite:///{path}")
    journal, queue = Journal(engine), JobQueue(engine)
    for status in (Status.SUCCEEDED, Status.FAILED, Status.QUEUED):
        submit(journal)
        job = queue.claim("me")
        assert job is not None
        record(queue, job, [1, 2, 3], [0.3, 0.2, 0.1])
        queue.finish(job, status, error={"code": "x", "detail": "y"} if status is Status.FAILED else None)
    jobs = [job.id for job in journal.list_jobs()[0]]
    journal.pause(submit(journal).id)
    journal.cancel(submit(journal).id)
    engine.dispose()
    return path, [*jobs, *(job.id for job in journal.list_jobs(limit=2)[0])]


def silently_otherwise(before: dict[str, Any], after: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The results that differ without reporting damage. A job with a changed id is not found by its own, and the list
    reports that it is damaged."""
    listed = reports_damage(after["list"])
    for question, answer in after.items():
        if answer != before[question] and not reports_damage(answer) and not (answer is None and listed):
            yield question, answer


def reports_damage(answer: Any) -> bool:
    return DAMAGED in json.dumps(answer, default=str)


def test_the_journal(tmp_path: Path) -> None:
    path, jobs = journal_with_jobs(tmp_path / "home")
    url = f"sqlite:///{path}"
    engine = open_database(url)
    before = all_queries(Journal(engine), jobs)
    engine.dispose()
    silent = []
    for damage in each_damage(path, [], 15, "loss"):
        if damage.way == "cut" and len(damage.after or b"") < 2:
            continue  # an empty file is a new journal; the record of the home detects that one is missing
        try:
            engine = open_database(url)
            after = all_queries(Journal(engine), jobs)
            engine.dispose()
        except JournalNotOpened:
            continue
        silent += [(damage.way, *each) for each in silently_otherwise(before, after)]
        for left in path.parent.glob("journal.sqlite-*"):
            left.unlink()
    assert not silent, "\n".join([str(len(silent)), *(str(each)[:400] for each in silent)])


def test_every_row_of_the_journal(tmp_path: Path) -> None:
    """One of its values changes, or the row is deleted."""
    path, jobs = journal_with_jobs(tmp_path / "home")
    journal = Journal(open_database(f"sqlite:///{path}"))
    before, silent = all_queries(journal, jobs), []
    engine = create_engine(f"sqlite:///{path}")  # a connection that checks no foreign keys
    with engine.connect() as connection:
        rows = {table: connection.execute(select(table)).mappings().all() for table in metadata.sorted_tables}
    cases = [
        (table, row, column)
        for table in metadata.sorted_tables
        for row in rows[table]
        for column in (*[None][: table is not jobs_table], *(each for each in table.columns if not each.primary_key))
    ]
    rng = random.Random(SEED)  # noqa: S311 - no secret
    for table, row, column in rng.sample(cases, min(examples(100), len(cases))):
        this = [each == row[each.name] for each in table.primary_key]
        with engine.begin() as connection:
            if column is None:
                connection.execute(delete(table).where(*this))
            else:
                connection.execute(update(table).where(*this).values({column.name: flipped(row[column.name])}))
        after = all_queries(journal, jobs)
        silent += [(table.name, column, *each) for each in silently_otherwise(before, after)]
        with engine.begin() as connection:
            connection.execute(delete(table).where(*this))
            connection.execute(insert(table).values(**row))
        assert all_queries(journal, jobs) == before
    assert not silent, "\n".join([str(len(silent)), *(str(each)[:400] for each in silent)])


def flipped(value: Any) -> Any:
    """The value with one bit changed."""
    if isinstance(value, str) and value:
        return value[:-1] + chr(ord(value[-1]) ^ 1)
    return (value or 0) ^ 1 if isinstance(value, int | None) else "x"


@pytest.mark.parametrize("wrong", [b"created_bt", b"created\xd4at"])
def test_a_damaged_schema_of_the_journal_is_found_at_the_start(tmp_path: Path, wrong: bytes) -> None:
    path, _ = journal_with_jobs(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"created_at", wrong))
    with pytest.raises(JournalNotOpened):
        open_database(f"sqlite:///{path}")
