"""Predictions: models kept warm, and the way from wire formats to tensors and back. Knows the workflow; knows no store,
no jobs and no HTTP."""
