"""Decodes a video of a stranger in a child process, with limits on its time and memory.

`python -m service.workflow.data.video_child FRAMES HEIGHT WIDTH CHANNELS < VIDEO` prints the frames as bytes, or the reason why
it cannot, in which case its exit status is `REFUSED`.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from typing import IO, Literal

import numpy as np

from service import interpreter
from service.liveness import die_with
from service.workflow.data.image_headers import BadImage
from service.workflow.data.table import Numbers
from service.workflow.data.video_containers import DEMUXERS, NoVideoDecoder, decoder_installed
from service.workflow.data.videos import decode_video, form_of

MOST_SECONDS = 60
MOST_PROCESSOR_SECONDS = 30
MOST_MEMORY = 2**30
AT_ONCE = 2  # children of this process
REFUSED = 3
MOST_REASON = 1000  # bytes

_free = threading.BoundedSemaphore(AT_ONCE)


def decode_apart(data: bytes, count: int, size: tuple[int, int], channels: Literal[1, 3]) -> Numbers:
    """`decode_video` in a child process.

    Raises:
        BadImage: it cannot be read, or not within the limits.
        NoVideoDecoder: its format needs PyAV, which is not installed.
    """
    if form_of(data) in DEMUXERS and not decoder_installed():
        raise NoVideoDecoder
    shape = (count, channels, *size)
    command = interpreter.command("service.workflow.data.video_child", *map(str, (count, *size, channels)))
    with _free:
        status, found = _run(command, data, max(int(np.prod(shape)), MOST_REASON))
    if status == 0 and len(found) == np.prod(shape):
        return np.frombuffer(found, np.uint8).reshape(shape)
    if status == REFUSED:
        raise BadImage(found[:MOST_REASON].decode(errors="replace"))
    slow = status in (-signal.SIGXCPU, -signal.SIGALRM)
    raise BadImage(f"it takes more than {MOST_PROCESSOR_SECONDS} seconds to decode" if slow else "its decoder stopped")


def _run(command: list[str], data: bytes, most: int) -> tuple[int, bytes]:
    """The exit status and the output, of which no more than `most` bytes are read."""
    environment = interpreter.child_environment()
    with subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101 - they are pipes
        writer = threading.Thread(target=_write, args=(process.stdin, data))
        timer = threading.Timer(MOST_SECONDS, process.send_signal, (signal.SIGALRM,))
        writer.start()
        timer.start()
        try:
            found = process.stdout.read(most)
            status = process.wait()
        finally:
            timer.cancel()
            process.kill()
            writer.join()
    return status, found


def _write(stream: IO[bytes], data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError):  # it has ended; its status says why
        stream.write(data)
    with contextlib.suppress(BrokenPipeError):
        stream.close()


def _limit() -> None:
    """Limits this process, on Linux."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_PROCESSOR_SECONDS, MOST_PROCESSOR_SECONDS + 5))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(count: int, height: int, width: int, channels: int) -> int:
    """Decodes standard input."""
    die_with(os.getppid())
    _limit()
    answer = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no answer
    try:
        frames = decode_video(sys.stdin.buffer.read(), count, (height, width), 1 if channels == 1 else 3)
        status, found = 0, frames.tobytes()
    except BadImage as error:
        status, found = REFUSED, str(error).encode()
    except MemoryError:
        status, found = REFUSED, f"it takes more than {MOST_MEMORY:,} bytes of memory to decode".encode()
    with os.fdopen(answer, "wb") as stream:
        stream.write(found)
    return status


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
