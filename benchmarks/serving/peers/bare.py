"""No model and no JSON: an ASGI application that reads the body and sends an answer that lies ready: `python bare.py PORT FILE`.

The file holds the answer of another server: its headers, but for those that uvicorn adds itself, and its body.
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


async def app(scope, receive, send):
    """Reads the body, sends the answer."""
    parts = []
    while True:
        message = await receive()
        parts.append(message["body"])
        if not message["more_body"]:
            break
    b"".join(parts)
    await send(START)
    await send(BODY)


uvicorn.run(
    app, port=int(sys.argv[1]), http="httptools", loop="uvloop", lifespan="off", access_log=False, log_level="warning"
)
