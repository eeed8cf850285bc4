"""MLServer, the model in the server's own process, REST alone: `python with_mlserver.py PORT`."""

import asyncio
import sys

import torch
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from network import network


class Network(MLModel):
    """A runtime of one's own, as its documentation has it."""

    async def load(self) -> bool:
        """The model."""
        self.model = network()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """One forward for each request."""
        x = torch.from_numpy(NumpyCodec.decode_input(payload.inputs[0]))
        with torch.inference_mode():
            y = self.model(x).numpy()
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("y", y)])


async def main() -> None:
    """Serves."""
    port = int(sys.argv[1])
    settings = Settings(
        host="127.0.0.1",
        http_port=port,
        grpc_port=port + 1,
        metrics_endpoint=None,
        parallel_workers=0,
        debug=False,
    )
    server = MLServer(settings)
    await server.start([ModelSettings(name="m", implementation=Network)])


asyncio.run(main())
