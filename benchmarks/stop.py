"""Connections that a stopping service drops: `benchmarks/run stop`.

64 clients open a new connection for each request while the service gets SIGTERM and stops with the default delay: with the filter
on its listening socket, and without it. A refused connection loses nothing; one that is reset, or closed without a response,
has lost its request.
"""

import asyncio
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter

CLIENTS, ROUNDS = 64, 5
REQUEST = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
SERVE = """
import sys
from service.cli.main import main
from service.http_server import server
if {without}:
    server.reject_new_connections = lambda listeners: None
sys.argv = ["modelwright", "serve", "--port", "{port}", "--home", "{home}"]
main()
"""


async def client(port: int, seen: Counter[str]) -> None:
    """Sends requests until a connection is refused."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            seen["refused"] += 1
            return
        except OSError:
            seen["dropped"] += 1
            continue
        try:
            writer.write(REQUEST)
            answer = await asyncio.wait_for(reader.read(), 30)
            seen["answered" if answer.startswith(b"HTTP/1.1 ") else "dropped"] += 1
        except OSError:
            seen["dropped"] += 1
        finally:
            writer.close()


async def stop(without: bool) -> Counter[str]:
    """One service that is stopped while its clients ask."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-c", SERVE.format(without=without, port=port, home=home)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as service:  # noqa: S603
            while service.poll() is None:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    await asyncio.sleep(0.1)
            seen = Counter[str]()
            clients = [asyncio.create_task(client(port, seen)) for _ in range(CLIENTS)]
            await asyncio.sleep(1)
            service.send_signal(signal.SIGTERM)
            await asyncio.gather(*clients)
            service.wait(60)
    return seen


async def main() -> None:
    """Prints a line for each round."""
    print("| filter | answered | dropped | refused |\n|---|---|---|---|")  # noqa: T201
    for _ in range(ROUNDS):
        for without in (False, True):
            seen = await stop(without)
            print(f"| {'no' if without else 'yes'} | {seen['answered']} | {seen['dropped']} | {seen['refused']} |")  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
