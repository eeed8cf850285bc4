"""No model and no JSON: an ASGI application that reads the body and sends a prepared response:
`python bare.py PORT FILE [forward|json|npy]`.

The file holds the answer of another server: its headers, but for those that uvicorn adds itself, and its body. With `forward`
it also runs the network on 1000 prepared rows; with `json` or `npy` on those in the body, and writes the result as JSON,
without validation except that all numbers of NPY are finite. This is the minimum that a Python server must do.
"""

import json
import sys
from base64 import b64decode
from pathlib import Path

import uvicorn

answer = json.loads(Path(sys.argv[2]).read_text())
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(name.encode(), value.encode()) for name, value in answer["headers"]],
}
BODY = {"type": "http.response.body", "body": b64decode(answer["body"])}


def nothing(body):
    """No work."""


def work(kind):
    """What is done with the body of each request."""
    import numpy as np
    import orjson
    import simdjson
    import torch
    from network import network, rows

    model, ready = network(), rows(1000)

    @torch.inference_mode()
    def forward(body):
        model(ready)

    @torch.inference_mode()
    def predict(body):
        values = np.frombuffer(simdjson.Parser().parse(body)["instances"].as_buffer(of_type="d"))
        answers = model(torch.from_numpy(values.reshape(-1, 8).astype(np.float32))).numpy()
        orjson.dumps(answers[:, 0].copy(), option=orjson.OPT_SERIALIZE_NUMPY)

    @torch.inference_mode()
    def of_array(body):
        values = np.frombuffer(body, np.float32, offset=128).reshape(-1, 8).copy()
        if not np.isfinite(values).all():
            raise ValueError
        orjson.dumps(model(torch.from_numpy(values)).numpy()[:, 0].copy(), option=orjson.OPT_SERIALIZE_NUMPY)

    return {"forward": forward, "json": predict, "npy": of_array}[kind]


do = work(sys.argv[3]) if len(sys.argv) > 3 else nothing


async def app(scope, receive, send):
    """Reads the body, works, sends the answer."""
    parts = []
    while True:
        message = await receive()
        parts.append(message["body"])
        if not message["more_body"]:
            break
    do(b"".join(parts))
    await send(START)
    await send(BODY)


uvicorn.run(
    app, port=int(sys.argv[1]), http="httptools", loop="uvloop", lifespan="off", access_log=False, log_level="warning"
)
