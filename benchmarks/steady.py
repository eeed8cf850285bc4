"""`python steady.py PORT`: eight clients that predict one row each, on persistent connections, each in a closed loop. When
its input ends it prints their latencies: one line of JSON for each second."""

import json
import selectors
import socket
import sys
import time
from collections import Counter, defaultdict

CLIENTS = 8
BODY = b'{"instances": [[0.5]]}'
HEAD = b"POST /v1/models/line/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
REQUEST = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
OK = b"HTTP/1.1 200 "
LENGTH = b"content-length: "


def answered(connection: socket.socket) -> bytes:
    """The whole answer; nothing if the connection has ended."""
    answer = b""
    while True:
        try:
            piece = connection.recv(65_536)
        except ConnectionError:
            piece = b""
        if not piece:
            return b""
        answer += piece
        head, end, body = answer.partition(b"\r\n\r\n")
        if end and len(body) == int(head.partition(LENGTH)[2].partition(b"\r\n")[0]):
            return answer


def main() -> None:
    """Sends requests until its input ends."""
    waits = selectors.DefaultSelector()
    waits.register(sys.stdin, selectors.EVENT_READ)
    sent: dict[socket.socket, float] = {}
    took: dict[int, list[float]] = defaultdict(list)  # seconds, by the second in which they were sent
    failed: Counter[int] = Counter()

    def ask(connection: socket.socket) -> None:
        connection.sendall(REQUEST)
        sent[connection] = time.monotonic()

    for _ in range(CLIENTS):
        connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        waits.register(connection, selectors.EVENT_READ)
        ask(connection)
    while True:
        for key, _ in waits.select():
            if key.fileobj is sys.stdin:
                for second, seen in sorted(took.items()):
                    seen.sort()
                    results = {
                        "began": second,
                        "answered": len(seen),
                        "p99": seen[len(seen) * 99 // 100],
                        "slowest": seen[-1],
                    }
                    sys.stdout.write(json.dumps(results | {"failed": failed[second]}) + "\n")
                return
            connection = key.fileobj  # type: ignore[assignment]
            answer = answered(connection)
            began = sent[connection]
            took[int(began)].append(time.monotonic() - began)
            if not answer.startswith(OK):
                failed[int(began)] += 1
            if answer:
                ask(connection)
            else:
                waits.unregister(connection)


if __name__ == "__main__":
    main()
