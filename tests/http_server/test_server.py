"""The shutdown of the server."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
INTERRUPTED = """
import signal
from service.http_server.server import Server
from service.http_server.sockets import open_listeners

async def app(scope, receive, send):
    await receive()
    signal.raise_signal(signal.SIGTERM)
    print("open")
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})

stopping = lambda: print("stopping")
server = Server(app, http=lambda **_: None, delay=0, stopping=stopping, alone=True, headers=[])
server.serve_on(open_listeners("127.0.0.1", 0))
"""


def test_a_signal_during_the_startup_reaches_the_open_application() -> None:
    command = [sys.executable, "-c", INTERRUPTED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603 - our own
    assert done.stdout.split() == ["stopping", "open", "stopping"]
