"""The tutorial's data: points on a straight line."""

import hashlib
import math
from collections.abc import Mapping
from typing import Literal, Self

import numpy as np
import orjson
from pydantic import Field, model_validator

from service.workflow.data.columns import Feature
from service.workflow.data.schema import Column, Schema
from service.workflow.data.table import Table, Wanted
from service.workflow.spec_base import Specification

MOST_POINTS = 10_000_000


class LineData(Specification):
    """x = arange(start, end, step), y = weight · x + bias, in float32."""

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
        """How many points `torch.arange(start, end, step)` has."""
        count = (self.end - self.start) / self.step
        return max(math.ceil(count), 0) if math.isfinite(count) else math.inf

    @property
    def targets(self) -> list[str]:
        """The target's name, as a list."""
        return [self.target]

    def schema_of_table(self) -> Schema:
        """Two columns of numbers."""
        columns = [Column(name="x", type="number"), Column(name="y", type="number")]
        return Schema(rows=int(self.points), columns=columns)

    def fingerprint(self) -> str:
        """The SHA-256 of what the points are made from."""
        made_from = [self.weight, self.bias, self.start, self.end, self.step]
        return hashlib.sha256(orjson.dumps(made_from)).hexdigest()

    def load(self, wanted: Mapping[str, Wanted]) -> Table:
        """The points, computed as the tutorial does, in float32."""
        import torch

        x = torch.arange(self.start, self.end, self.step)
        y = self.weight * x + self.bias
        return Table({"x": x.numpy().astype(np.float32), "y": y.numpy()})
