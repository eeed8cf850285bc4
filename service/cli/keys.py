"""The commands `modelwright keys`. They use the home directly; services may run on it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from service.access.scopes import WORDS
from service.cli.options import settings_of
from service.cli.printing import console, table
from service.cli.signatures import signing

if TYPE_CHECKING:
    from service.access.audit import Audit
    from service.access.keyring import Keyring

keys = typer.Typer(help="The API keys of the service on this machine, and keys that sign models.", no_args_is_help=True)
keys.add_typer(signing, name="signing")

Home = Annotated[Path | None, typer.Option(help="Folder of the service's state [env: MODELWRIGHT_HOME].")]


@keys.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is.")],
    scope: Annotated[list[str], typer.Option(help=f"Its scope: {', '.join(WORDS)}; each includes those before it.")],
    expires_in: Annotated[float | None, typer.Option(metavar="DAYS", help="Days for which it is valid.")] = None,
    home: Home = None,
) -> None:
    """Create a key, and print it once. Services on this home accept it within a second."""
    unknown = [word for word in scope if word not in WORDS]
    if unknown:
        raise typer.BadParameter(f"there is no scope {unknown[0]!r}, only {', '.join(WORDS)}", param_hint="--scope")
    keyring, audit = _opened(home)
    key, secret = keyring.create(name, [WORDS[word] for word in scope], expires_in)
    audit.append_command("key.created", key.name, after={"id": key.id, "scopes": scope, "expires_at": key.expires_at})
    Console(stderr=True).print(f"Key {key.id}; it is shown this once and kept nowhere:", highlight=False)
    print(secret)


@keys.command("list")
def list_keys(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False, home: Home = None) -> None:
    """List the keys, revoked ones included."""
    shown = (key.public() for key in _opened(home)[0].all())
    table(shown, ["id", "name", "scopes", "created_at", "expires_at", "revoked_at", "damaged"], as_json)


@keys.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="NAME|ID", help="The key's name or id.")], home: Home = None
) -> None:
    """Revoke a key. Services on this home refuse it within a second."""
    keyring, audit = _opened(home)
    revoked = keyring.revoke(key)
    audit.append_command("key.revoked", revoked.name, before={"id": revoked.id})
    console.print(f"Revoked {revoked.name} ({revoked.id}).", highlight=False)


def _opened(home: Path | None) -> "tuple[Keyring, Audit]":
    from service.access.audit import Audit
    from service.access.keyring import Keyring
    from service.home import Home, HomeLost
    from service.keys import keys_kept

    folder = settings_of(home).home
    known = Home(folder)
    if "keys" in known.held() - known.present():  # a new file would hide that
        raise HomeLost(folder, ["keys"])
    return Keyring(folder / "access", on_write=lambda: keys_kept(known)), Audit(folder / "audit")
