"""The progress of a training job, printed as it happens: a moving bar on a terminal, a line now and then elsewhere."""

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from modelwright import Client


def follow(client: Client, job: dict[str, Any], console: Console) -> dict[str, Any]:
    """Shows a job until it ends; returns it when it has succeeded, raises `JobFailed` when not."""
    name, epochs = job["model_name"], job["spec"]["training"]["epochs"]
    printed = 0
    with _bar(console) as bar:
        task = bar.add_task(name, total=epochs, figures="")
        for event in client.events(job["id"]):
            data = event["data"]
            if event["type"] == "message":
                console.print(data.get("text", ""), markup=False)
            if event["type"] != "metrics":
                continue
            epoch, figures = data["epoch"], _figures(data)
            bar.update(task, completed=epoch, figures=figures)
            if not console.is_terminal and (epoch - printed >= epochs / 10 or epoch == epochs):
                printed = epoch
                console.print(f"{name}: epoch {epoch} of {epochs}  {figures}", markup=False)
    return client.wait(job["id"])


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("epochs"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[figures]}"),
        console=console,
        disable=not console.is_terminal,
    )


def _figures(metrics: dict[str, Any]) -> str:
    numbers = {name: value for name, value in metrics.items() if isinstance(value, float)}
    return "  ".join(f"{name} {value:.4g}" for name, value in numbers.items())
