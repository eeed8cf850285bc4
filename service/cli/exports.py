"""The command that exports a version."""

from pathlib import Path
from typing import Annotated

import typer

from service.cli.options import URL, Model, Url, connect
from service.cli.printing import console
from service.model_reference import ModelReference


def export(
    model: Model,
    export_format: Annotated[
        str, typer.Argument(metavar="FORMAT", help="safetensors, state_dict, torch_export, onnx or huggingface.")
    ],
    output: Annotated[Path | None, typer.Option(help="The file; NAME-VERSION with a suffix if not given.")] = None,
    url: Url = URL,
) -> None:
    """Save a version in a format that loads without Modelwright."""
    name, version = ModelReference.parse(model)
    with connect(url) as client:
        saved = client.download_export(name, version or "latest", export_format, output)
    console.print(str(saved), markup=False, soft_wrap=True)
