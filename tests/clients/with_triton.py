"""Prints the results of Triton's own client: `python with_triton.py HOST:PORT ROWS`, where ROWS is JSON with the rows of
`iris` and of `shops`. It knows the models only from their metadata."""

import json
import sys
from typing import Any

import numpy as np
import tritonclient.http as triton  # type: ignore[import-not-found] # only in its own environment

client = triton.InferenceServerClient(sys.argv[1])
flowers, shops = json.loads(sys.argv[2])
KINDS: dict[str, Any] = {"FP32": np.float32, "BOOL": np.bool_, "BYTES": np.object_}


def listed(result: Any, name: str) -> Any:
    """An output as lists, with bytes decoded."""
    values = result.as_numpy(name)
    return (
        [each.decode() if isinstance(each, bytes) else each for each in values]
        if values.dtype == np.object_
        else values.tolist()
    )


def tensor(name: str, values: Any, datatype: str, *, binary: bool) -> Any:
    """An input."""
    array = np.array(values, KINDS[datatype])
    made = triton.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array, binary_data=binary)
    return made


def matrix(rows: Any, *, binary: bool) -> list[Any]:
    """The one input of a model of numbers, named by its metadata."""
    metadata = client.get_model_metadata("iris" if len(rows[0]) == 4 else "line")["inputs"][0]
    return [tensor(metadata["name"], rows, metadata["datatype"], binary=binary)]


def columns(binary: bool) -> list[Any]:
    """An input for each column, named by the metadata."""
    metadata = client.get_model_metadata("shops")["inputs"]
    return [
        tensor(each["name"], [[row[each["name"]]] for row in shops], each["datatype"], binary=binary)
        for each in metadata
    ]


def refusal(*arguments: Any, **more: Any) -> list[str]:
    """Status and message of an inference that must be refused."""
    try:
        client.infer(*arguments, **more)
    except triton.InferenceServerException as error:
        return [error.status(), error.message()]
    raise SystemExit("it was not refused")


line = [[0.5], [0.9]]
wanted = [triton.InferRequestedOutput("probabilities"), triton.InferRequestedOutput("label", binary_data=False)]
both = client.infer("iris", matrix(flowers, binary=True), outputs=wanted, request_id="abc", model_version="1")
compressed = {
    coding: client.infer("line", matrix(line, binary=True), request_compression_algorithm=coding)
    for coding in ("gzip", "deflate")
}
results = {
    "live": client.is_server_live(),
    "ready": client.is_server_ready(),
    "model_ready": [client.is_model_ready("iris"), client.is_model_ready("iris", "1"), client.is_model_ready("nobody")],
    "server": client.get_server_metadata(),
    "line": [listed(client.infer("line", matrix(line, binary=binary)), "y") for binary in (True, False)],
    "line compressed": [listed(result, "y") for result in compressed.values()],
    "iris": [listed(both, "label"), listed(both, "probabilities")],
    "answer": {key: both.get_response()[key] for key in ("model_name", "model_version", "id")},
    "shops": [
        [listed(client.infer("shops", columns(binary)), name) for name in ("sales", "staff")]
        for binary in (True, False)
    ],
    "config": client.get_model_config("iris"),
    "refused": [
        refusal("nobody", matrix(line, binary=True)),
        refusal("line", matrix(flowers, binary=True)),
        refusal("line", matrix(line, binary=True), outputs=[triton.InferRequestedOutput("z")]),
    ],
}
client.unload_model("line")
client.load_model("line")
results["line again"] = listed(client.infer("line", matrix(line, binary=True)), "y")
results["index"] = client.get_model_repository_index()
results["statistics"] = client.get_inference_statistics("iris")["model_stats"][0]
sys.stdout.write(json.dumps(results))
