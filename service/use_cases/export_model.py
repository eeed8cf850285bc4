"""Export a version to a file that loads without this software."""

import asyncio
import logging
import signal
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import orjson

from model_store import Store, Version
from model_store.errors import VersionNotFound
from service.use_cases.artifacts import MOST_LOGGED, Artifact, ArtifactFailed, Artifacts
from service.use_cases.attempt_store import STATE_DICT
from service.use_cases.child_process import ChildFailed, Completed, OutOfMemory, run
from service.use_cases.train import POINTS
from service.workflow.errors import ExportFailed, NotAvailable
from service.workflow.exports import CHECKED, EXPORTS
from service.workflow.models import plug_ins

MODULE = "service.workflow.exports.child"
MOST_PROCESSOR_SECONDS = 60
MOST_SECONDS = 180  # on a busy machine the process, which is niced, gets little of the processor
MOST_MEMORY = 3 * 2**29  # bytes
MOST_REASON_BYTES = 2**14

log = logging.getLogger(__name__)


async def export(exports: Artifacts, store: Store, version: Version, name: str) -> Path:
    """The file of an export, written and checked by a child process; for one that is the file of the store, the mark that
    the file was checked.

    Raises:
        NotAvailable: there is no such export, or packages that it needs are missing.
        ExportFailed: this model cannot be exported, or not within the limits of time and memory.
        VersionCorrupt: the version's files are not what was published.
        VersionNotFound: the version was deleted meanwhile.
        ArtifactFailed: it could not be written; it may work later.
        TooManyArtifacts: too many others are in progress.
    """
    if name not in EXPORTS:
        raise NotAvailable(f"there is no such export; known: {', '.join(EXPORTS)}")
    absent = [package for package in EXPORTS[name].packages if not _is_installed(package)]
    if absent:
        packages = " and ".join(absent)
        raise NotAvailable(
            f"the export {name} needs {packages}: install it beside Modelwright (pip install {' '.join(absent)})"
        )
    suffix = CHECKED if EXPORTS[name].write is None else EXPORTS[name].suffix
    make = partial(_write, store, version, name)
    try:
        path = await exports.get(store, Artifact(version, name, (suffix,)), suffix, make)
    except Exception:
        await asyncio.to_thread(_check_exists, store, version)  # the process may have missed its files
        raise
    await asyncio.to_thread(_check_exists, store, version)
    return path


def _check_exists(store: Store, version: Version) -> None:
    if not store.models.has(version.name, version.number):
        raise VersionNotFound("models", version.name, version.number)


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ValueError:  # imported, but not as a package
        return False


async def _write(store: Store, version: Version, name: str, folder: Path) -> None:
    with ExitStack() as stack:
        state_dict, points = [
            await asyncio.to_thread(stack.enter_context, store.models.local_file(version, file))
            for file in (STATE_DICT, POINTS)
        ]
        request = {
            "export": name,
            "manifest": version.manifest,
            "digest": version.digest,
            "state_dict": str(state_dict),
            "points": str(points),
            "kinds": plug_ins(),
            "processor_seconds": MOST_PROCESSOR_SECONDS,
        }
        _check_end(await _run(orjson.dumps(request), folder))


async def _run(request: bytes, folder: Path) -> Completed:
    try:
        return await run(
            MODULE,
            str(folder),
            stdin=request,
            environment={"HOME": str(folder), "TMPDIR": str(folder)},
            most_seconds=MOST_SECONDS,
            most_bytes=MOST_REASON_BYTES,
            most_memory=MOST_MEMORY,
        )
    except TimeoutError:
        raise ExportFailed(f"the export takes more than {MOST_SECONDS} seconds") from None
    except OutOfMemory:
        raise ExportFailed(f"the export takes more than {MOST_MEMORY / 2**30:g} GiB of memory") from None
    except ChildFailed as failure:
        raise ArtifactFailed("the process that exports the model was killed; try again") from failure


def _check_end(ended: Completed) -> None:
    if ended.status or ended.stdout != b"{}":
        log.warning("%s failed: %s", MODULE, ended.stderr.decode(errors="replace")[-MOST_LOGGED:])
    if ended.status == -signal.SIGXCPU:
        raise ExportFailed(f"the export takes more than {MOST_PROCESSOR_SECONDS} seconds of processor time")
    if ended.status < 0 and ended.status != -signal.SIGKILL:  # a crash of native code, which happens again
        raise ExportFailed(f"the process that exports the model crashed ({signal.Signals(-ended.status).name})")
    if ended.status:
        raise ArtifactFailed("the model could not be exported; see the service's log, or try again")
    if not ended.stdout:
        raise ExportFailed("the model's code ended the process that exports it")
    if failed := orjson.loads(ended.stdout).get("failed"):
        raise ExportFailed(failed)
