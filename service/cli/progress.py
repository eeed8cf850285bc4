"""The progress of a training job, printed as it happens: a moving bar on a terminal, a line now and then elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from modelwright import Client, JobFailed
from service.cli.failures import INTERRUPTED
from service.cli.sparkline import sparkline

SPARKLINE = 16  # characters
LOSSES = ("validation_loss", "train_loss")  # the first one that there is, is drawn


def follow(client: Client, job: dict[str, Any], console: Console) -> dict[str, Any]:
    """Shows a job until it ends; returns it when it has succeeded, raises `JobFailed` when not."""
    name, epochs = job["model_name"], job["spec"]["training"]["epochs"]
    printed, losses = 0, list[float]()
    with _bar(console) as bar:
        task = bar.add_task(name, total=epochs, figures="", losses="")
        for event in client.events(job["id"]):
            data = event["data"]
            if event["type"] == "message":
                console.print(data.get("text", ""), markup=False)
            if event["type"] != "metrics":
                continue
            epoch, figures = data["epoch"], _figures(data)
            losses += [
                loss for loss in [next((data[each] for each in LOSSES if each in data), None)] if loss is not None
            ]
            drawn = "" if console.options.ascii_only else sparkline(losses, SPARKLINE)
            bar.update(task, completed=epoch, figures=figures, losses=drawn)
            if not console.is_terminal and (epoch - printed >= epochs / 10 or epoch == epochs):
                printed = epoch
                console.print(f"{name}: epoch {epoch} of {epochs}  {figures}", markup=False)
    return client.wait(job["id"])


@contextmanager
def job_goes_on(job_id: str) -> Iterator[None]:
    """When the block is interrupted, says that the job goes on; when the job has failed, where to look."""
    try:
        yield
    except KeyboardInterrupt:
        said = f"\nThe training goes on in the service. Watch it:  modelwright jobs watch {job_id}\n"
        Console(stderr=True).print(
            f"{said}Cancel it:  modelwright jobs cancel {job_id}", highlight=False, soft_wrap=True
        )
        raise typer.Exit(INTERRUPTED) from None
    except JobFailed as error:
        if error.job["status"] == "failed":
            error.add_note(f"What happened before: modelwright logs {job_id}")
        raise


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(max(10, min(40, console.width - 90))),
        MofNCompleteColumn(),
        TextColumn("epochs"),
        TimeElapsedColumn(),
        TextColumn("[green]{task.fields[losses]}[/]"),
        TextColumn("{task.fields[figures]}", markup=False),
        console=console,
        disable=not console.is_terminal,
    )


def _figures(metrics: dict[str, Any]) -> str:
    numbers = {name: value for name, value in metrics.items() if isinstance(value, float)}
    return "  ".join(f"{name} {value:.4g}" for name, value in numbers.items())
