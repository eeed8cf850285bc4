"""The command that saves a version in a format of others."""

from pathlib import Path
from typing import Annotated

import typer

from service.cli.options import URL, AsJson, Model, Url, connect
from service.cli.printing import done
from service.model_reference import ModelReference


def export(
    model: Model,
    export_format: Annotated[
        str, typer.Argument(metavar="FORMAT", help="safetensors, state_dict, torch_export, onnx or huggingface.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "--out", help="The file; NAME-VERSION with a suffix if not given.")
    ] = None,
    as_json: AsJson = False,
    url: Url = URL,
) -> None:
    """Save a version in a format that loads without Modelwright."""
    name, version = ModelReference.parse(model)
    with connect(url) as client:
        saved = client.download_export(name, version or "latest", export_format, output)
    done(str(saved), {"saved": str(saved)}, as_json)
