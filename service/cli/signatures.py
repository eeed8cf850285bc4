"""The commands `modelwright keys signing create`, `modelwright sign` and `modelwright verify`, and those that fetch a version's
signature and its bill of materials."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from service.cli.options import URL, AsJson, Model, Url, connect
from service.cli.printing import console, done, line, show
from service.model_reference import ModelReference

signing = typer.Typer(help="Keys that sign models.", no_args_is_help=True)

Out = Annotated[Path | None, typer.Option(help="Save as this file instead of printing.")]


@signing.command()
def create(
    out: Annotated[
        Path,
        typer.Option(metavar="FILE", help="File of the private key; its public key becomes FILE's name with .pub.pem."),
    ] = Path("signing-key.pem"),
    as_json: AsJson = False,
) -> None:
    """Create a private key that signs models, and its public key, which verifies them."""
    _need_extra()
    from service.signatures.keys import create_key

    public = create_key(out)
    if as_json:
        show({"private": str(out), "public": str(public)})
        return
    line(f"Private key: {out}, for MODELWRIGHT_SIGNING_KEY_FILE. Keep it secret.")
    line(f"Public key: {public}, with which others verify.")


def sign(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="File that a service has given as a bundle.")],
    key: Annotated[Path, typer.Option(metavar="PRIVATE", help="File of the private key.")],
    as_json: AsJson = False,
) -> None:
    """Sign a bundle, in place of a signature that it has. Its version keeps its digest."""
    _need_extra()
    from model_store import member_digests, read_bundle, write_draft
    from model_store.durable_files import sync
    from service.bundle_members import MEMBERS
    from service.signatures import statement
    from service.signatures.keys import read_private_key

    read_private_key(key)
    with tempfile.TemporaryDirectory(dir=bundle.absolute().parent) as folder:
        draft = read_bundle(bundle, Path(folder), bundle.stat().st_size, MEMBERS)
        digest = draft.digest
        signature = statement.sign(digest, member_digests(digest, draft.manifest), key)
        signed = Path(folder) / "signed.zip"
        with signed.open("wb") as file:
            write_draft(replace(draft, signature=signature), file)
        sync(signed)
        signed.replace(bundle)
    done(f"Signed {bundle}. Digest: {digest}", {"signed": str(bundle), "digest": digest}, as_json)


def verify(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="File that a service has given as a bundle.")],
    key: Annotated[
        list[Path], typer.Option(metavar="PUBLIC", help="File of a public key; one of several must have signed.")
    ],
    as_json: AsJson = False,
) -> None:
    """Verify a bundle's signature, and that its manifest and files are those that were signed. Exit status 1 if not."""
    _need_extra()
    from model_store import member_digests, read_bundle
    from service.bundle_members import MEMBERS
    from service.signatures import statement
    from service.signatures.errors import InvalidSignature
    from service.signatures.keys import read_public_key

    keys = [read_public_key(path) for path in key]
    with tempfile.TemporaryDirectory() as folder:
        draft = read_bundle(bundle, Path(folder), bundle.stat().st_size, MEMBERS)
    digest = draft.digest
    if draft.signature is None:
        raise InvalidSignature("the bundle has none")
    statement.verify(member_digests(digest, draft.manifest), draft.signature, keys)
    valid = f"The signature is valid: manifest and files are those that were signed. Digest: {digest}"
    done(valid, {"valid": True, "digest": digest}, as_json)


def signature(model: Model, out: Out = None, as_json: AsJson = False, url: Url = URL) -> None:
    """Print the signature of a version, or save it."""
    name, version = ModelReference.parse(model)
    with connect(url) as client:
        document = client.signature(name, version or "latest")
    if out is None:
        console.print(document.decode(), markup=False, highlight=False, soft_wrap=True)
    else:
        _save(document, out, as_json)


def bom(model: Model, out: Out = None, as_json: AsJson = False, url: Url = URL) -> None:
    """Print the bill of materials of a version (CycloneDX 1.6), or save it."""
    name, version = ModelReference.parse(model)
    with connect(url) as client:
        document = client.bom(name, version or "latest")
    if out is None:
        show(document)
    else:
        _save(json.dumps(document, indent=2).encode(), out, as_json)


def _save(document: bytes, out: Path, as_json: bool) -> None:
    out.write_bytes(document)
    done(str(out), {"saved": str(out)}, as_json)


def _need_extra() -> None:
    from importlib.util import find_spec

    if find_spec("model_signing") is None or find_spec("OpenSSL") is None:
        raise FileNotFoundError('This needs the extra `signing`: pip install "modelwright[signing]"')
