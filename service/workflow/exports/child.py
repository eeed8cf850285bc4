"""`python -m service.workflow.exports.child HEARTBEATS FOLDER`: writes one export of a model, described by JSON on stdin, to
`artifact<suffix>` in the folder, and checks it. An export that is the file of the store is only checked, which an empty file
`artifact.checked` records.

Prints `{}`, or `{"failed": …}` with the reason why the model cannot be exported. It is a process of its own: an export takes
several times the model's memory, holds the interpreter for seconds, and runs code of plug-ins.
"""

import errno
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import orjson
import torch

from service.liveness import beat, die_with
from service.workflow.errors import ExportFailed
from service.workflow.exports import CHECKED, EXPORTS, Export, Source
from service.workflow.exports.check import check, first_line
from service.workflow.look.points import Points
from service.workflow.models import install
from service.workflow.save_and_load import load
from service.workflow.signature import Signature
from service.workflow.spec import parse_resolved

NICENESS = 19  # the lowest priority, as of trainings: predictions go first
LEAST_FREE_BYTES = 2**20  # on a disk that is not full


def main(heartbeats: int, folder: Path) -> None:
    """Writes and checks the export. The request has `export`, `manifest`, `digest`, `state_dict` and `points` (paths), `kinds`
    (plug-ins) and `processor_seconds`, the most that this process may take."""
    die_with(os.getppid())
    beat(heartbeats)
    os.nice(NICENESS)
    request = orjson.loads(sys.stdin.buffer.read())
    _limit(request["processor_seconds"])
    answer = os.dup(1)
    os.dup2(2, 1)  # what libraries and plug-ins print is no answer
    torch.set_num_threads(1)
    install(request["kinds"])
    source, points = _source(request), Points.model_validate_json(Path(request["points"]).read_bytes())
    try:
        _write(EXPORTS[request["export"]], source, points, folder)
        found = {}
    except SystemExit:
        found = {"failed": "the model's code ended the process that exports it"}
    except Exception as error:  # of torch, of the libraries of the format, or of a plug-in
        if isinstance(error, OSError) or shutil.disk_usage(folder).free < LEAST_FREE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        sys.excepthook(type(error), error, error.__traceback__)
        found = {"failed": _reason(error, folder)}
    os.write(answer, orjson.dumps(found))


def _reason(error: Exception, folder: Path) -> str:
    """Why the model cannot be exported, without the path of the temporary folder, which libraries name."""
    reason = str(error) if isinstance(error, ExportFailed) else f"it cannot be written: {first_line(error)}"
    return reason.replace(f"{folder}{os.sep}", "")


def _limit(processor_seconds: int) -> None:
    """Lets the kernel end this process after so much processor time. Its memory is watched by its parent."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (processor_seconds, processor_seconds + 5))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _source(request: dict[str, Any]) -> Source:
    manifest, tensors = request["manifest"], Path(request["state_dict"])
    spec = parse_resolved({**manifest["spec"], "model_name": "model"})
    signature = Signature.model_validate(manifest["signature"])
    return Source(manifest, request["digest"], spec, signature, tensors, load(spec, signature, tensors))


def _write(export: Export, source: Source, points: Points, folder: Path) -> None:
    path = source.state_dict if export.write is None else folder / f"artifact{export.suffix}"
    if export.write is not None:
        export.write(source, path)
    check(source, export.predict(source, path), points)
    if export.write is None:
        (folder / f"artifact{CHECKED}").touch()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
