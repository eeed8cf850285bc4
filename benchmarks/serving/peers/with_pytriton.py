"""Triton as PyTriton brings it, HTTP alone: `python with_pytriton.py PORT`."""

import sys

import numpy as np
import torch
from network import network
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

model = network()


@batch
def infer(x):
    """One forward for each batch."""
    with torch.inference_mode():
        return {"y": model(torch.from_numpy(x)).numpy()}


config = TritonConfig(
    http_address="127.0.0.1", http_port=int(sys.argv[1]), allow_grpc=False, allow_metrics=False, log_verbose=0
)
with Triton(config=config) as triton:
    triton.bind(
        model_name="m",
        infer_func=infer,
        inputs=[Tensor(name="x", dtype=np.float32, shape=(8,))],
        outputs=[Tensor(name="y", dtype=np.float32, shape=(1,))],
        config=ModelConfig(max_batch_size=1024, batcher=DynamicBatcher(max_queue_delay_microseconds=0)),
        strict=False,
    )
    triton.serve()
