"""The spec of the tutorial's line as in the documentation, with other numbers of epochs and other names."""

from typing import Any

from service.workflow.spec import EXAMPLE


def line(epochs: int = 0, *, name: str = "line", **more: Any) -> dict[str, Any]:
    """The spec; `more` replaces whole sections of it."""
    return EXAMPLE | {"model_name": name, "training": EXAMPLE["training"] | {"epochs": epochs}} | more
