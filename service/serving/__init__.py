"""Predictions: a cache of loaded models, codecs from bytes to tensors and back, and micro-batches. Imports the workflow, but no
store, no jobs and no HTTP."""
