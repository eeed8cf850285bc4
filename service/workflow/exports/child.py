"""`python -m service.workflow.exports.child HEARTBEATS FOLDER`: writes one export of a model, described by JSON on stdin, to
`artifact.<suffix>` in the folder.

A process of its own: an export takes several times the model's memory, and holds the interpreter for seconds.
"""

import os
import sys
from pathlib import Path

import orjson
import torch

from service.liveness import beat, die_with
from service.workflow.data.survey_limits import limit_this_process
from service.workflow.exports import EXPORTS
from service.workflow.models import install
from service.workflow.save_and_load import load
from service.workflow.signature import Signature
from service.workflow.spec import parse_resolved


def main(heartbeats: int, folder: Path) -> None:
    """Writes the export. The request has `export`, `spec`, `signature`, `state_dict` (a path) and `kinds` (plug-ins)."""
    die_with(os.getppid())
    beat(heartbeats)
    request = orjson.loads(sys.stdin.buffer.read())
    tensors = Path(request["state_dict"])
    limit_this_process(tensors)
    torch.set_num_threads(1)
    install(request["kinds"])
    export, signature = EXPORTS[request["export"]], Signature.model_validate(request["signature"])
    if export.write is not None:
        model = load(parse_resolved(request["spec"]), signature, tensors)
        export.write(model, signature, folder / f"artifact{export.suffix}")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
