"""The ten steps of PyTorch's workflow: data, split, look, model, inspect, predict, loss and optimizer, training loop,
save and load, share. Knows torch and pydantic; no HTTP, no store and no jobs. `learn.py` tells the whole story."""
