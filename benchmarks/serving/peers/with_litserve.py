"""LitServe: `python with_litserve.py PORT`."""

import sys

import litserve
import torch
from network import network


class Api(litserve.LitAPI):
    """One request at a time, as its quick start has it."""

    def setup(self, device):
        """The model."""
        self.model = network()

    def decode_request(self, request):
        """To a tensor."""
        return torch.tensor(request["instances"])

    def predict(self, x):
        """One forward."""
        with torch.inference_mode():
            return self.model(x)

    def encode_response(self, output):
        """To lists."""
        return {"predictions": output.squeeze(1).tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Api(), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning", access_log=False
    )
