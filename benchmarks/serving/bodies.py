"""1000 rows in the formats that are not JSON."""

import io
import json

import numpy as np
import polars

from benchmarks.serving.load import Request
from benchmarks.serving.peers.network import rows

NPY, ARROW, OIP = "1000 rows NPY", "1000 rows Arrow IPC", "1000 rows OIP binary"
KINDS = {NPY: "application/x-npy", ARROW: "application/vnd.apache.arrow.stream", OIP: "application/octet-stream"}
NPY_BACK, ARROW_BACK = f"{NPY}, answered in NPY", f"{ARROW}, answered in Arrow IPC"  # NPY and ARROW in JSON
OIP_JSON = "1000 rows OIP JSON, flat"
FORMATS = (NPY, NPY_BACK, ARROW, ARROW_BACK, OIP)


def requests(path: str) -> dict[str, Request]:
    """Each of them, for a path that is ours."""
    made = {what: Request(path, body(what), {"Content-Type": KINDS[what]}) for what in (NPY, ARROW)}
    for what, back in ((NPY, NPY_BACK), (ARROW, ARROW_BACK)):
        made[back] = Request(path, made[what].body, {"Content-Type": KINDS[what], "Accept": KINDS[what]})
    return made | {OIP: open_inference(body(OIP)), OIP_JSON: open_inference_json()}


def open_inference_json() -> Request:
    """1000 rows as JSON of the Open Inference Protocol, as for MLServer."""
    data = rows(1000).flatten().tolist()
    tensor = {"name": "x", "shape": [1000, 8], "datatype": "FP32", "data": data}
    return Request("/v2/models/m/infer", json.dumps({"inputs": [tensor]}).encode())


def open_inference(tensor: bytes) -> Request:
    """1000 rows as the Open Inference Protocol sends and wants them in bytes."""
    about = {"name": "input-0", "shape": [1000, 8], "datatype": "FP32", "parameters": {"binary_data_size": len(tensor)}}
    head = json.dumps({"inputs": [about], "parameters": {"binary_data_output": True}}).encode()
    headers = {"Content-Type": KINDS[OIP], "Inference-Header-Content-Length": str(len(head))}
    return Request("/v2/models/m/infer", head + tensor, headers)


def body(what: str) -> bytes:
    """1000 rows in a binary format."""
    values, out = rows(1000).numpy(), io.BytesIO()
    if what == OIP:
        return values.tobytes()
    if what == NPY:
        np.save(out, values)
    else:
        polars.DataFrame({f"x{i}": values[:, i] for i in range(8)}).write_ipc_stream(out)
    return out.getvalue()
