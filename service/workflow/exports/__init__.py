"""Step 10, share: files that load a model without this software. One file an export, one line in the table."""

from service.workflow.exports import safetensors, state_dict
from service.workflow.exports.export import Export

EXPORTS: dict[str, Export] = {
    "safetensors": safetensors.EXPORT,
    "state_dict": state_dict.EXPORT,
}

__all__ = ["EXPORTS", "Export"]
