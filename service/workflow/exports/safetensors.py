"""The state_dict as a safetensors file: the very file that training writes and the store keeps."""

from service.workflow.exports.export import Export
from service.workflow.exports.tensors import predict_by
from service.workflow.save_and_load import load_tensors

EXPORT = Export("application/x-safetensors", ".safetensors", None, predict_by(load_tensors))
