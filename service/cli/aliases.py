"""The commands `modelwright aliases`, and `modelwright models promote` and `rollback`."""

from typing import Annotated, Any

import typer

from service.cli.options import URL, AsJson, Name, Url, connect
from service.cli.printing import cell, done, facts, table

aliases = typer.Typer(help="Aliases of models: names that point at a version, and can be moved.", no_args_is_help=True)

AliasName = Annotated[str, typer.Argument(metavar="ALIAS")]
Alias = Annotated[str, typer.Option(help="The alias.")]
Version = Annotated[int, typer.Argument(metavar="VERSION", help="The number of a version.")]
IfMatch = Annotated[int | None, typer.Option(metavar="ENTRY", help="Only if its newest entry has this number.")]


@aliases.command("list")
def list_aliases(name: Name, as_json: AsJson = False, url: Url = URL) -> None:
    """List the aliases of a model."""
    with connect(url) as client:
        table(client.aliases(name), ["alias", "version", "entry", "created_at", "error"], as_json)


@aliases.command("show")
def show_alias(name: Name, alias: AliasName, as_json: AsJson = False, url: Url = URL) -> None:
    """Show the version that an alias points at."""
    from service.cli.calls import get

    with connect(url) as client:
        facts(get(client, "models", name, "aliases", alias), ["alias", "version", "entry", "created_at"], as_json)


@aliases.command("set")
def set_alias(
    name: Name, alias: AliasName, version: Version, if_match: IfMatch = None, as_json: AsJson = False, url: Url = URL
) -> None:
    """Point an alias at a version."""
    with connect(url) as client:
        _points(name, client.set_alias(name, alias, version, if_match), as_json)


@aliases.command("delete")
def delete_alias(name: Name, alias: AliasName, as_json: AsJson = False, url: Url = URL) -> None:
    """Delete an alias; its history is kept, and setting it again brings it back."""
    with connect(url) as client:
        client.delete_alias(name, alias)
    done(f"Deleted {name}@{alias}.", {"deleted": f"{name}@{alias}"}, as_json)


@aliases.command()
def history(name: Name, alias: AliasName, as_json: AsJson = False, url: Url = URL) -> None:
    """List the versions that an alias has pointed at."""
    from service.cli.calls import pages

    with connect(url) as client:
        entries = pages(client, "models", name, "aliases", alias, "history", key="entry")
        table(entries, ["entry", "version", "created_at", "error"], as_json)


@aliases.command("rollback")
def rollback_alias(name: Name, alias: AliasName, as_json: AsJson = False, url: Url = URL) -> None:
    """Point an alias back at the version before."""
    rollback(name, alias, as_json, url)


def promote(name: Name, version: Version, alias: Alias = "production", as_json: AsJson = False, url: Url = URL) -> None:
    """Point an alias at a version: predictions without a version use `production`."""
    set_alias(name, alias, version, None, as_json, url)


def rollback(name: Name, alias: Alias = "production", as_json: AsJson = False, url: Url = URL) -> None:
    """Point an alias back at the version before."""
    with connect(url) as client:
        _points(name, client.rollback_alias(name, alias), as_json)


def _points(name: str, alias: dict[str, Any], as_json: bool) -> None:
    done(f"{name}@{alias['alias']} is version {cell(alias['version'])}.", alias, as_json)
