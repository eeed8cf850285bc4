"""A kind of model whose forward misbehaves in the process that exports it, and only there."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from service.workflow.models.input_shapes import InputShapes
from service.workflow.models.kind import ModelKind

IS_EXPORT = sys.argv[0].endswith("exports/child.py")


class OddSpec(ModelKind):
    """A linear layer that does what `does` says; `folder` has a file for each process that has exported it."""

    kind: Literal["odd"] = "odd"
    does: str
    folder: str

    def build(self, inputs: InputShapes, outputs: int, head: nn.Module | None) -> nn.Module:
        """The layer."""
        return Odd(inputs.features, outputs, self.does, Path(self.folder))


class Odd(nn.Linear):
    """The layer."""

    def __init__(self, features: int, outputs: int, does: str, folder: Path) -> None:
        super().__init__(features, outputs)
        self.does = does
        self.folder = folder
        if IS_EXPORT:
            (folder / str(os.getpid())).touch()

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's own name
        """From [n, d] to [n, outputs]."""
        if IS_EXPORT and not torch.compiler.is_compiling():
            self._misbehave()
        if self.does == "branches" and input.sum() > 0:
            return super().forward(-input)
        return super().forward(input)

    def _misbehave(self) -> None:
        match self.does:
            case "hangs":
                time.sleep(600)
            case "spins":
                while True:
                    pass
            case "grows":
                self.kept = bytearray(os.urandom(2**20)) * 2**11
                time.sleep(600)
            case "exits":
                sys.exit(0)
            case "vanishes":
                os._exit(0)
            case "crashes":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "waits":
                while not (self.folder / "go").exists():
                    time.sleep(0.01)
