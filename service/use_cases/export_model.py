"""Export a version to a file that loads without this software."""

import asyncio
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import orjson

from model_store import Store, Version
from service.use_cases.artifacts import Artifact, ArtifactFailed, Artifacts, make_in_child
from service.use_cases.attempt_store import STATE_DICT
from service.workflow.errors import NotAvailable
from service.workflow.exports import EXPORTS
from service.workflow.models import plug_ins

MOST_SECONDS = 600


class ExportFailed(ArtifactFailed):
    """The model could not be exported."""


async def export(exports: Artifacts, store: Store, version: Version, name: str) -> Path:
    """The file of an export that is written on request: one whose `write` is not None.

    Raises:
        NotAvailable: there is no such export.
        VersionCorrupt: the version's state_dict is not what was published.
        ArtifactFailed: it could not be written.
        TooManyArtifacts: too many others are in progress.
    """
    if name not in EXPORTS:
        raise NotAvailable(f"there is no such export; known: {', '.join(EXPORTS)}")
    suffix = EXPORTS[name].suffix
    make = partial(_write, store, version, name)
    return await exports.get(store, Artifact(version, name, (suffix,)), suffix, make)


async def _write(store: Store, version: Version, name: str, folder: Path) -> None:
    with ExitStack() as stack:
        path = await asyncio.to_thread(stack.enter_context, store.models.local_file(version, STATE_DICT))
        request = {
            "export": name,
            "spec": {**version.manifest["spec"], "model_name": version.name},
            "signature": version.manifest["signature"],
            "state_dict": str(path),
            "kinds": plug_ins(),
        }
        module = "service.workflow.exports.child"
        await make_in_child(module, orjson.dumps(request), folder, most_seconds=MOST_SECONDS, error=ExportFailed)
