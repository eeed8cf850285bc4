"""The ten steps of PyTorch's workflow: data, split, look, model, inspect, predict, loss and optimizer, training loop,
save and load, share. Imports torch and pydantic, but no HTTP, no store and no jobs. `learn.py` has the whole workflow in one
function."""
