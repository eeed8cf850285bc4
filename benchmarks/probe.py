"""`python probe.py PORT`: requests `/livez` all the time, on one connection. When its input ends it prints the p99 and the
maximum latency in seconds, as one line of JSON. It is a process of its own, so that it does not wait for other clients."""

import json
import select
import socket
import sys
import time

LIVE = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
PAUSE = 0.003  # seconds
PATIENCE = 60.0


def main() -> None:
    """Sends requests until its input ends."""
    took: list[float] = []
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=PATIENCE) as connection:
        while not select.select([sys.stdin], [], [], PAUSE)[0] or not took:
            began = time.monotonic()
            connection.sendall(LIVE)
            if not connection.recv(65_536):
                break
            took.append(time.monotonic() - began)
    took.sort()
    sys.stdout.write(json.dumps({"p99": took[len(took) * 99 // 100], "slowest": took[-1]}) + "\n")


if __name__ == "__main__":
    main()
