"""A page of a list has at most 4 MiB, and the next one continues where it ends."""

import asyncio
from pathlib import Path
from typing import Any

import httpx

from service.api.schemas.answer import MOST_BYTES
from service.app import create_app
from service.settings import Settings
from service.startup import start_up
from service.workflow.spec import EXAMPLE

NOTES = "n" * 2**20
JOBS = 7


async def pages(home: Path) -> list[tuple[int, dict[str, Any]]]:
    """The pages of the jobs of an app in this process, each with its size in bytes."""
    app, found = create_app(start_up(Settings.read(home=home))), list[tuple[int, dict[str, Any]]]()
    async with app.framework.router.lifespan_context(app.framework):
        for _ in range(JOBS):
            app.services.get().journal.submit("large", {**EXAMPLE, "notes": NOTES}, {})
        transport = httpx.ASGITransport(app=app.entry.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            while not found or found[-1][1]["has_more"]:
                after = f"&after={found[-1][1]['data'][-1]['id']}" if found else ""
                answer = await http.get(f"/v1/training-jobs?limit=100{after}")
                found.append((len(answer.content), answer.json()))
    return found


def test_pages_end_at_4_mib_and_have_every_job_once(tmp_path: Path) -> None:
    found = asyncio.run(pages(tmp_path))
    assert [len(page["data"]) for _, page in found] == [3, 3, 1]
    assert all(size <= MOST_BYTES for size, _ in found)
    ids = [each["id"] for _, page in found for each in page["data"]]
    assert len(set(ids)) == JOBS
    assert all(each["spec"]["notes"] == NOTES for _, page in found for each in page["data"])
