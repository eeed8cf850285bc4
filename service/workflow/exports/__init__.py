"""Step 10, share: files that load a model without this software. One file an export, one line in the table."""

from service.workflow.exports import huggingface, onnx, safetensors, state_dict, torch_export
from service.workflow.exports.export import Answers, Export, Predict, Source

EXPORTS: dict[str, Export] = {
    "safetensors": safetensors.EXPORT,
    "state_dict": state_dict.EXPORT,
    "torch_export": torch_export.EXPORT,
    "onnx": onnx.EXPORT,
    "huggingface": huggingface.EXPORT,
}

CHECKED = ".checked"  # the suffix of the mark that the store's own file, an export that is not written, was checked

__all__ = ["CHECKED", "EXPORTS", "Answers", "Export", "Predict", "Source"]
