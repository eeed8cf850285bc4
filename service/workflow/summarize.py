"""`python -m service.workflow.summarize HEARTBEATS FOLDER`: computes the summary of a model's tensors, described by JSON on
stdin, and writes it to `artifact.json` in the folder.

A process of its own: reading a large model takes seconds, and its pages take memory.
"""

import os
import sys
from pathlib import Path

import orjson
import torch

from service.liveness import beat, die_with
from service.workflow.data.survey_limits import limit_this_process
from service.workflow.inspection import summarize
from service.workflow.models import install
from service.workflow.save_and_load import load_tensors
from service.workflow.signature import Signature
from service.workflow.spec import parse_resolved


def main(heartbeats: int, folder: Path) -> None:
    """Writes the summary. The request has `spec`, `signature`, `state_dict` (a path) and `kinds` (plug-ins)."""
    die_with(os.getppid())
    beat(heartbeats)
    request = orjson.loads(sys.stdin.buffer.read())
    path = Path(request["state_dict"])
    limit_this_process(path)
    torch.set_num_threads(1)
    install(request["kinds"])
    spec, signature = parse_resolved(request["spec"]), Signature.model_validate(request["signature"])
    summary = summarize(spec, signature, path, load_tensors(path))
    (folder / "artifact.json").write_bytes(summary.model_dump_json().encode())


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
