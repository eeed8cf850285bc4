"""KServe's model server without Kubernetes, REST alone: `python with_kserve.py PORT`."""

import sys

import torch
import uvicorn
from network import network


class Loopback(uvicorn.Config):
    """KServe listens everywhere and logs every request, and has no setting for either."""

    def __init__(self, *given, **named) -> None:
        super().__init__(*given, **(named | {"host": "127.0.0.1", "access_log": False}))


uvicorn.Config = Loopback
from kserve import Model, ModelServer  # noqa: E402


class Network(Model):
    """A custom predictor, as its documentation has it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.model = network()
        self.ready = True

    async def predict(self, payload, headers=None, response_headers=None):
        """One forward for each request."""
        with torch.inference_mode():
            return {"predictions": self.model(torch.tensor(payload["instances"])).squeeze(1).tolist()}


ModelServer(http_port=int(sys.argv[1]), enable_grpc=False, workers=1, access_log_format=None).start([Network("m")])
