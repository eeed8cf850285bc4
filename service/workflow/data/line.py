"""The tutorial's data: points on a straight line."""

import hashlib
import math
from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
import orjson
from pydantic import Field, model_validator

from service.workflow.data.data_kind import ChooseColumns, DataKind, FindDataset, LoadedData
from service.workflow.data.schema import Column, Schema
from service.workflow.data.table import Table
from service.workflow.data.types.feature import Feature

MOST_POINTS = 10_000_000


class LineData(DataKind):
    """x = arange(start, end, step), y = weight · x + bias, in float32."""

    default_model: ClassVar[str] = "linear_regression"
    normalizes: ClassVar[bool] = False

    kind: Literal["line"] = "line"
    weight: float
    bias: float
    start: float = 0.0
    end: float = 1.0
    step: float = 0.02
    target: Literal["y"] = "y"
    features: dict[Literal["x"], Feature] | None = None
    task: Literal["regression"] | None = Field(default=None)

    @model_validator(mode="after")
    def _has_points(self) -> Self:
        if self.step == 0:
            raise ValueError("step must not be 0")
        if not 1 <= self.points <= MOST_POINTS:
            raise ValueError(
                f"from {self.start} to {self.end} in steps of {self.step} there are {self.points:.0f} points; "
                f"1 to {MOST_POINTS} are possible"
            )
        return self

    @property
    def points(self) -> float:
        """The number of points of `torch.arange(start, end, step)`."""
        count = (self.end - self.start) / self.step
        return max(math.ceil(count), 0) if math.isfinite(count) else math.inf

    @property
    def targets(self) -> list[str]:
        """The target's name, as a list."""
        return [self.target]

    def survey(self, find: FindDataset) -> tuple[Self, Schema]:
        """The schema has two columns of numbers."""
        columns = [Column(name="x", type="number"), Column(name="y", type="number")]
        return self, Schema(rows=int(self.points), columns=columns)

    def load(self, choose: ChooseColumns, find: FindDataset, scratch: Path) -> LoadedData:
        """The points, computed as the tutorial does, in float32; the digest is the SHA-256 of their five parameters."""
        import torch

        x = torch.arange(self.start, self.end, self.step)
        y = self.weight * x + self.bias
        table = Table({"x": x.numpy().astype(np.float32), "y": y.numpy()})
        parameters = [self.weight, self.bias, self.start, self.end, self.step]
        return LoadedData(table, {"digest": hashlib.sha256(orjson.dumps(parameters)).hexdigest()})
