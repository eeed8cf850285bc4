"""BentoML: hands over to `bentoml serve`: `python with_bentoml.py PORT`."""

import os
import sys
from pathlib import Path

import bentoml
import torch
from network import network


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Network:
    """A service, as its quick start has it."""

    def __init__(self) -> None:
        self.model = network()

    @bentoml.api
    def predict(self, instances: list[list[float]]) -> list[float]:
        """One forward for each request."""
        with torch.inference_mode():
            return self.model(torch.tensor(instances)).squeeze(1).tolist()


if __name__ == "__main__":
    command = [sys.executable, "-m", "bentoml", "serve", "with_bentoml:Network", "--host", "127.0.0.1"]
    command += ["--port", sys.argv[1], "--working-dir", str(Path(__file__).parent)]
    os.execv(sys.executable, command)  # noqa: S606
