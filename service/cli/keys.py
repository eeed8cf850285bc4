"""The commands `modelwright keys`. They use the home directly, while services may run on it, or ask a service with --url."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from service.access.scopes import WORDS
from service.cli.options import AsJson, Home, connect, settings_of
from service.cli.printing import done, show, table
from service.cli.signatures import signing

if TYPE_CHECKING:
    from service.access.audit import Audit
    from service.access.keyring import Keyring

keys = typer.Typer(help="The API keys of the service on this machine, and keys that sign models.", no_args_is_help=True)
keys.add_typer(signing, name="signing")

OfService = Annotated[
    str | None,
    typer.Option("--url", help="Address of a service that is asked instead, with MODELWRIGHT_API_KEY of scope admin."),
]


@keys.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is.")],
    scope: Annotated[list[str], typer.Option(help=f"Its scope: {', '.join(WORDS)}; each includes those before it.")],
    expires_in: Annotated[float | None, typer.Option(metavar="DAYS", help="Days for which it is valid.")] = None,
    as_json: AsJson = False,
    home: Home = None,
    url: OfService = None,
) -> None:
    """Create a key, and print it once. Services on this home accept it within a second."""
    unknown = [word for word in scope if word not in WORDS]
    if unknown:
        raise typer.BadParameter(f"there is no scope {unknown[0]!r}, only {', '.join(WORDS)}", param_hint="--scope")
    _one(home, url)
    if url is not None:
        with connect(url) as client:
            about: dict[str, Any] = client.create_key(name, scope, expires_in)
    else:
        keyring, audit = _opened(home)
        key, secret = keyring.create(name, [WORDS[word] for word in scope], expires_in)
        after = {"id": key.id, "scopes": scope, "expires_at": key.expires_at}
        audit.append_command("key.created", key.name, after=after)
        about = {**key.public(), "key": secret}
    if as_json:
        show(about)
        return
    Console(stderr=True).print(f"Key {about['id']}; it is shown this once and kept nowhere:", highlight=False)
    print(about["key"])


@keys.command("list")
def list_keys(as_json: AsJson = False, home: Home = None, url: OfService = None) -> None:
    """List the keys, revoked ones included."""
    columns = ["id", "name", "scopes", "created_at", "expires_at", "revoked_at", "damaged"]
    _one(home, url)
    if url is None:
        table((key.public() for key in _opened(home)[0].all()), columns, as_json)
        return
    with connect(url) as client:
        table(client.keys(), columns, as_json)


@keys.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="NAME|ID", help="The key's name or id.")],
    as_json: AsJson = False,
    home: Home = None,
    url: OfService = None,
) -> None:
    """Revoke a key. Services on this home refuse it within a second."""
    _one(home, url)
    if url is not None:
        with connect(url) as client:
            client.revoke_key(key)
        done(f"Revoked {key}.", {"revoked": key}, as_json)
        return
    keyring, audit = _opened(home)
    revoked = keyring.revoke(key)
    audit.append_command("key.revoked", revoked.name, before={"id": revoked.id})
    done(f"Revoked {revoked.name} ({revoked.id}).", {"revoked": revoked.name, "id": revoked.id}, as_json)


def _one(home: Path | None, url: str | None) -> None:
    if home is not None and url is not None:
        raise typer.BadParameter("give --home or --url: the keys of a folder here, or those of a service")


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
