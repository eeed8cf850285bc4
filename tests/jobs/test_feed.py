"""Many watchers of jobs share one reader of the journal, and each receives every event."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress

import pytest
from sqlalchemy import Engine, event

from service.jobs.errors import JobNotFound, TooManyWatchers
from service.jobs.feed import Feed, Watched
from service.jobs.job import Event, Status
from service.jobs.job_queue import JobQueue
from service.jobs.journal import Journal
from tests.jobs.steps import claimed, submit

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def written(event: Event) -> bytes:
    return b"%d" % event.id


@asynccontextmanager
async def feeding(journal: Journal, **limits: int) -> AsyncIterator[Feed]:
    made = Feed(journal, lambda job: job, written, **limits)
    reads = asyncio.create_task(made.run())
    try:
        async with asyncio.timeout(30):
            yield made
    finally:
        reads.cancel()
        with suppress(asyncio.CancelledError):
            await reads
        made.stop()


async def all_events(fed: Feed, job_id: str, after: int = 0) -> list[bytes]:
    """Every event until the job has ended, as a stream sends them."""
    received: list[bytes] = []
    with fed.watch(job_id) as watched:
        await fed.read(job_id)
        while True:
            job = watched.job
            found, after = await fed.events(job_id, watched, after)
            received += found
            if not found:
                if job is not None and job.final:
                    return received
                await fed.wait(watched, lambda each: each.follows(after), 30)  # noqa: B023


def test_four_hundred_watchers_cost_as_many_reads_as_one(engine: Engine, journal: Journal) -> None:
    job, reads = submit(journal), [0]
    event.listen(engine, "begin", lambda _: reads.__setitem__(0, reads[0] + 1))

    async def wait(fed: Feed) -> str:
        with fed.watch(job.id) as watched:
            await fed.read(job.id)
            await fed.wait(watched, lambda each: each.job is not None and each.job.final, 30)
            assert watched.job is not None
            return watched.job.status

    async def test() -> list[str]:
        async with feeding(Journal(engine)) as fed:
            waiting = [asyncio.create_task(wait(fed)) for _ in range(400)]
            while fed.watchers < 400:
                await asyncio.sleep(0)
            await asyncio.to_thread(journal.cancel, job.id)
            fed.notify(job.id)
            return list(await asyncio.gather(*waiting))

    assert set(asyncio.run(test())) == {"cancelled"}
    assert reads[0] < 40


def test_late_early_and_repeated_watchers_receive_every_event_once(
    engine: Engine, journal: Journal, queue: JobQueue
) -> None:
    job = claimed(journal, queue)

    async def test() -> tuple[list[list[bytes]], list[bytes]]:
        async with feeding(
            Journal(engine), kept=7, page=10
        ) as fed:  # so small that some watchers must read the journal
            early = [asyncio.create_task(all_events(fed, job.id)) for _ in range(3)]
            for number in range(60):
                await asyncio.to_thread(queue.message, job, str(number))
                fed.notify(job.id)
            late = [asyncio.create_task(all_events(fed, job.id)) for _ in range(3)]
            again = asyncio.create_task(all_events(fed, job.id, after=30))
            await asyncio.to_thread(journal.cancel, job.id)
            await asyncio.to_thread(queue.finish, job, Status.CANCELLED)
            return [await each for each in early + late], await again

    received, again = asyncio.run(test())
    every = [written(each) for each in journal.events(job.id)]
    assert len(every) > 60
    assert received == [every] * 6
    assert again == every[30:]


def test_the_number_of_watchers_is_bounded_and_an_unknown_job_is_not_found(engine: Engine, journal: Journal) -> None:
    async def test() -> None:
        async with feeding(journal, most_watchers=2) as fed:
            with ExitStack() as stack:
                for name in ("one", "two\0"):
                    stack.enter_context(fed.watch(name))
                    with pytest.raises(JobNotFound):
                        await fed.read(name)
                with pytest.raises(TooManyWatchers):
                    stack.enter_context(fed.watch("three"))
            with fed.watch("three"):
                assert fed.watchers == 1

    asyncio.run(test())


def test_stopping_the_feed_ends_all_watchers(engine: Engine, journal: Journal) -> None:
    job = submit(journal)

    async def test() -> None:
        async with feeding(journal) as fed:
            with fed.watch(job.id) as watched:
                await fed.read(job.id)
                never = lambda _: False  # noqa: E731
                waits = asyncio.create_task(fed.wait(watched, never, 1e6))
                fed.close()
                assert await waits

    asyncio.run(test())


def test_changes_by_another_process_are_found(engine: Engine, journal: Journal) -> None:
    job = submit(journal)

    def cancelled(watched: Watched) -> bool:
        return watched.job is not None and watched.job.final

    async def test() -> None:
        async with feeding(Journal(engine)) as fed:
            with fed.watch(job.id) as watched:
                await fed.read(job.id)
                await asyncio.to_thread(journal.cancel, job.id)  # without a notification
                assert await fed.wait(watched, cancelled, 30)

    asyncio.run(test())
