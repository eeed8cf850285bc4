"""Prints the results of KServe's own client for both protocols: `python with_kserve.py URL ROWS`, where ROWS is JSON with the
rows of `iris`."""

import asyncio
import json
import sys
from typing import Any

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig  # type: ignore[import-not-found] # as above

URL, FLOWERS = sys.argv[1], json.loads(sys.argv[2])


async def second(*, binary: bool) -> dict[str, Any]:
    """Predictions by the Open Inference Protocol."""
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    one = InferInput(name="input-0", shape=[2, 4], datatype="FP32")
    one.set_data_from_numpy(np.array(FLOWERS, np.float32), binary_data=binary)
    request = InferRequest(
        model_name="iris", infer_inputs=[one], request_id="abc", parameters={"binary_data_output": binary}
    )
    answer = await client.infer(URL, request, model_name="iris")
    outputs = {each.name: each for each in answer.outputs}
    return {
        "live": await client.is_server_live(URL),
        "ready": await client.is_server_ready(URL),
        "model_ready": [await client.is_model_ready(URL, name) for name in ("iris", "nobody")],
        "answer": [answer.model_name, answer.id],
        "label": [each.decode() if isinstance(each, bytes) else each for each in outputs["label"].as_numpy().tolist()],
        "probabilities": outputs["probabilities"].as_numpy().tolist(),
        "refused": await refusal(client, {"inputs": []}),
    }


async def first() -> dict[str, Any]:
    """Predictions by the first protocol."""
    client = InferenceRESTClient(RESTConfig(protocol="v1"))
    return {
        "ready": await client.is_model_ready(URL, "iris"),
        "instances": await client.infer(URL, {"instances": FLOWERS}, model_name="iris"),
        "inputs": await client.infer(URL, {"inputs": FLOWERS}, model_name="iris"),
        "refused": await refusal(client, {"instances": [[1]]}),
    }


async def refusal(client: Any, data: dict[str, Any]) -> str:
    """The client's message for an inference that must be refused."""
    try:
        await client.infer(URL, data, model_name="iris")
    except httpx.HTTPStatusError as error:
        return str(error)
    raise SystemExit("it was not refused")


async def main() -> None:
    """Prints both as JSON."""
    results = {"binary": await second(binary=True), "json": await second(binary=False), "v1": await first()}
    sys.stdout.write(json.dumps(results))


asyncio.run(main())
