"""A folder for the Hugging Face Hub, which predicts with torch and safetensors alone."""

from service.workflow.exports.huggingface.folder import EXPORT

__all__ = ["EXPORT"]
