"""A child process that does what it is told by its second argument; the first is where its heartbeats go."""

import os
import random
import sys
import time

import service
from service.liveness import beat


def main(heartbeats: str, what: str) -> None:
    """Says what it has imported, works without a heartbeat, writes without end, or waits."""
    if what == "imports":
        sys.stdout.write(f"{service.__file__} {random.__file__}")
        return
    if what == "environment":
        sys.stdout.write(" ".join(sorted(os.environ)))
        return
    if what == "busy":
        while time.process_time() < 1.5:
            pass
        sys.stdout.write(sys.stdin.read())
        return
    beat(int(heartbeats))
    if what == "writes":
        os.fork()  # the second one goes on when the first is killed, and has its pipes
    while what == "writes":
        os.write(1, b"x" * 1000)
        os.write(2, b"x" * 1000)
    time.sleep(600)


if __name__ == "__main__":
    main(*sys.argv[1:3])
