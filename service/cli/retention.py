"""The commands `modelwright retention`."""

from typing import Annotated, Any

import typer

from service.cli.options import URL, AsJson, Name, Url, connect
from service.cli.printing import cell, done, line, show

retention = typer.Typer(help="Rules by which old versions of a model are deleted.", no_args_is_help=True)

Last = Annotated[int | None, typer.Option(help="Keep so many of the newest versions.")]
Days = Annotated[int | None, typer.Option(help="Keep the versions of so many days.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Change nothing; show what the rule would delete.")]


@retention.command("show")
def show_retention(name: Name, as_json: AsJson = False, url: Url = URL) -> None:
    """Show the rule of a model, and the versions that are deleted next."""
    with connect(url) as client:
        _rule(client.retention(name), "Next are deleted", as_json)


@retention.command("set")
def set_retention(
    name: Name, last: Last = None, days: Days = None, dry_run: DryRun = False, as_json: AsJson = False, url: Url = URL
) -> None:
    """Keep the last versions of a model and those of the last days; what neither keeps is deleted within ten minutes."""
    if last is None and days is None:
        raise typer.BadParameter("give --last, --days or both")
    with connect(url) as client:
        rule = client.set_retention(name, last, days, dry_run)
    _rule(rule, "Would be deleted" if dry_run else "Next are deleted", as_json)


@retention.command("delete")
def delete_retention(name: Name, as_json: AsJson = False, url: Url = URL) -> None:
    """Keep all versions of a model from now on."""
    with connect(url) as client:
        client.delete_retention(name)
    done(f"All versions of {name} are kept.", {"deleted": name}, as_json)


def _rule(rule: dict[str, Any], title: str, as_json: bool) -> None:
    if as_json:
        show(rule)
        return
    line("Kept are " + ", ".join(f"{name} {rule[name]}" for name in ("last", "days") if rule.get(name) is not None))
    line(f"{title}: {cell(rule['expired']) or 'none'}")
