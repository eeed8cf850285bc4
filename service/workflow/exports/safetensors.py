"""The state_dict as a safetensors file: the very file that training writes and the store keeps."""

from service.workflow.exports.export import Export

EXPORT = Export("application/x-safetensors", ".safetensors", write=None)
