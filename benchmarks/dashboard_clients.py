"""`python dashboard_clients.py URL JOB COUNT`: so many clients that ask what a browser asks with the dashboard open on a running
job: its events as one stream, the job, the list of jobs, the overview's lists, the figures of operations, each as often as the
pages do. When its input ends it prints how many requests were answered, and how many events came, as one line of JSON."""

import asyncio
import json
import sys
from collections import Counter

import httpx

EVERY = {  # seconds between two requests of a client
    "/v1/training-jobs?limit=50": 4.0,
    "/v1/training-jobs/{job}": 15.0,
    "/v1/training-jobs?limit=5": 5.0,
    "/v1/models?limit=5": 10.0,
    "/v1/datasets?limit=5": 10.0,
    "/metrics": 5.0,
    "/v1/service": 10.0,
}
JSON = {"Accept": "application/json"}


async def ask(http: httpx.AsyncClient, path: str, every: float, first: float, counts: Counter[str]) -> None:
    """Asks again and again."""
    await asyncio.sleep(first)
    while True:
        answer = await http.get(path, headers=JSON)
        counts["answered" if answer.is_success else "refused"] += 1
        await asyncio.sleep(every)


async def follow(http: httpx.AsyncClient, job: str, counts: Counter[str]) -> None:
    """Reads the job's events, from the newest on."""
    listed = await http.get(f"/v1/training-jobs/{job}/events?type=status", headers=JSON)
    headers = {"Accept": "text/event-stream", "Last-Event-ID": listed.headers["Last-Event-ID"]}
    async with http.stream("GET", f"/v1/training-jobs/{job}/events", headers=headers) as stream:
        async for line in stream.aiter_lines():
            counts["events"] += line.startswith("data: ")


async def main(url: str, job: str, clients: int) -> None:
    """Runs the clients until the input ends."""
    counts: Counter[str] = Counter()
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=httpx.Limits(max_connections=None)) as http:
        tasks = [asyncio.create_task(follow(http, job, counts)) for _ in range(clients)]
        for number in range(clients):
            for path, every in EVERY.items():
                asked = ask(http, path.format(job=job), every, every * number / clients, counts)  # not all at once
                tasks.append(asyncio.create_task(asked))
        await asyncio.to_thread(sys.stdin.read)
        for task in tasks:
            task.cancel()
    sys.stdout.write(json.dumps(counts) + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
