"""The commands `modelwright jobs`, and `modelwright logs`."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Console

from service.cli.options import URL, AsJson, JobId, Url, connect
from service.cli.printing import cell, console, done, facts, line, show, table

jobs = typer.Typer(help="Training jobs.", no_args_is_help=True)

Status = Annotated[
    str | None, typer.Option(help="Only those in this state: queued, running, paused, succeeded, failed, cancelled.")
]
OfModel = Annotated[str | None, typer.Option(help="Only those of this model.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")]
ABOUT = ["id", "status", "requested", "model_name", "created_at", "started_at", "finished_at", "attempt", "progress"]


@jobs.command("list")
def list_jobs(status: Status = None, model_name: OfModel = None, as_json: AsJson = False, url: Url = URL) -> None:
    """List the jobs, newest first."""
    with connect(url) as client:
        table(client.jobs(status, model_name), ["id", "model_name", "status", "created_at", "finished_at"], as_json)


@jobs.command("show")
def show_job(job: JobId, as_json: AsJson = False, url: Url = URL) -> None:
    """Show a job; with --json also its spec."""
    with connect(url) as client:
        facts(client.job(job), [*ABOUT, "metrics", "result", "error"], as_json)


@jobs.command()
def watch(job: JobId, as_json: AsJson = False, url: Url = URL) -> None:
    """Show a job's training until it ends; exit status 1 if it ends without a model."""
    from service.cli.progress import follow, job_goes_on

    with connect(url) as client, job_goes_on(job):
        ended = follow(client, client.job(job), Console(stderr=True) if as_json else console)
    result = ended["result"]
    version = result["version"]
    text = f"{result['model_name']}@{version}" if version is not None else "a trial of a sweep, without a version"
    done(text, ended, as_json)


@jobs.command()
def cancel(job: JobId, as_json: AsJson = False, url: Url = URL) -> None:
    """Cancel a job."""
    with connect(url) as client:
        _changed(client.cancel(job), as_json)


@jobs.command()
def pause(job: JobId, as_json: AsJson = False, url: Url = URL) -> None:
    """Pause a job: it saves a checkpoint and frees its slot."""
    with connect(url) as client:
        _changed(client.pause(job), as_json)


@jobs.command()
def resume(job: JobId, as_json: AsJson = False, url: Url = URL) -> None:
    """Resume a paused job from its checkpoint."""
    with connect(url) as client:
        _changed(client.resume(job), as_json)


@jobs.command()
def attempts(job: JobId, as_json: AsJson = False, url: Url = URL) -> None:
    """List the attempts at a job: when each ran, and why it ended."""
    with connect(url) as client:
        table(client.attempts(job), ["attempt", "started_at", "ended_at", "status", "cause"], as_json)


@jobs.command()
def metrics(job: JobId, as_json: AsJson = False, url: Url = URL) -> None:
    """List the metrics of a job, epoch by epoch."""
    with connect(url) as client:
        series = client.metrics(job)
    if as_json:
        show(series)
    else:
        table((dict(zip(series, row, strict=True)) for row in zip(*series.values(), strict=True)), [*series], as_json)


def logs(job: JobId, follow: Follow = False, as_json: AsJson = False, url: Url = URL) -> None:
    """Print the events of a job, one a line; with --follow also those to come, until it has ended."""
    with connect(url) as client:
        for event in client.events(job) if follow else _events(client, job):
            if as_json:
                console.print(json.dumps(event), markup=False, highlight=False, soft_wrap=True)
            else:
                line(event_line(event))


jobs.command("events")(logs)


def _events(client: Any, job: str) -> Iterator[dict[str, Any]]:
    from service.cli.calls import pages

    return pages(client, "training-jobs", job, "events", key="id")


def event_line(event: dict[str, Any]) -> str:
    """An event as a line: when, which type, and what."""
    data = event["data"]
    if event["type"] == "message":
        said = data.get("text", "")
    else:
        said = "  ".join(f"{name} {cell(value)}" for name, value in data.items() if name != "progress" and value)
    return f"{event['created_at'][:19].replace('T', ' ')}  {event['type']:<7}  {said}"


def _changed(job: dict[str, Any], as_json: bool) -> None:
    asked = f"; it has been asked to {job['requested']}" if job["requested"] else ""
    done(f"Job {job['id']} is {job['status']}{asked}.", job, as_json)
