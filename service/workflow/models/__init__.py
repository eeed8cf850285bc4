"""Step 4, the model: one file a kind, one name in the union."""

from typing import Annotated

from pydantic import Field

from service.workflow.models.linear_regression import LinearRegressionSpec
from service.workflow.models.mlp import MLPSpec

ModelSpec = Annotated[LinearRegressionSpec | MLPSpec, Field(discriminator="kind")]

__all__ = ["LinearRegressionSpec", "MLPSpec", "ModelSpec"]
