"""Short-lived child processes for what could crash or block the service: reading a table, drawing a chart, writing an export."""

import asyncio
import contextlib
import os
from asyncio.subprocess import Process, SubprocessStreamProtocol
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from service import interpreter
from service.liveness import CHECK_SECONDS, Liveness

CHUNK = 2**16
MOST_STDERR_BYTES = 2**16  # that are kept
MEMORY_CHECK_SECONDS = 0.1


class ChildFailed(Exception):
    """The process that does this was killed; try again."""


class ChildHung(ChildFailed):
    """The process that does this hung and was killed; try again."""


class OutOfMemory(ChildFailed):
    """The process that does this used more memory than it may and was killed."""


class OutputTooLarge(ChildFailed):
    """The process that does this wrote more than it may and was ended."""


@dataclass(frozen=True)
class Completed:
    """The exit status of a child process (negative for the signal that killed it), its stdout and the start of its stderr."""

    status: int
    stdout: bytes
    stderr: bytes


async def run(
    module: str,
    *arguments: str,
    stdin: bytes,
    environment: Mapping[str, str],
    most_seconds: float,
    most_bytes: int,
    most_memory: int | None = None,
) -> Completed:
    """Runs `python -m module DESCRIPTOR ARGUMENT…`, which sends heartbeats to the descriptor, and waits for its end. The process
    is killed on any error, and when this is cancelled.

    Raises:
        TimeoutError: it took more than `most_seconds`.
        ChildHung: it sent no heartbeat and used no processor time for some seconds.
        OutOfMemory: it used more than `most_memory` bytes.
        OutputTooLarge: it wrote more than `most_bytes` to stdout.
        OSError: it could not be started.
    """
    reading, writing = os.pipe()
    try:
        os.set_blocking(reading, False)
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.subprocess_exec(
            lambda: SubprocessStreamProtocol(limit=CHUNK, loop=loop),
            *interpreter.command(module, str(writing), *arguments),
            env={**interpreter.child_environment(), **environment},
            pass_fds=[writing],
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    process = Process(transport, protocol, loop)
    hung = asyncio.create_task(_until_hung(process.pid, reading))
    too_large = asyncio.create_task(_until_larger(process.pid, most_memory))
    completed = asyncio.create_task(_communicate(process, stdin, most_bytes))
    try:
        done, _ = await asyncio.wait(
            (completed, hung, too_large), timeout=most_seconds, return_when=asyncio.FIRST_COMPLETED
        )
        if not done:
            raise TimeoutError
        if completed not in done:
            raise ChildHung(ChildHung.__doc__) if hung in done else OutOfMemory(OutOfMemory.__doc__)
        return await completed
    finally:
        # Kills the process and closes its pipes. Process.wait also waits for the ends of the pipes, which never come while
        # they are not read, or while a process that the child has started has them open.
        transport.close()
        for task in (hung, too_large, completed):
            task.cancel()
        await asyncio.gather(process.wait(), hung, too_large, completed, return_exceptions=True)
        os.close(reading)


async def _until_hung(pid: int, heartbeats: int) -> None:
    liveness = Liveness(pid)
    while not liveness.is_hung():
        await asyncio.sleep(CHECK_SECONDS)
        with contextlib.suppress(BlockingIOError):
            if os.read(heartbeats, CHUNK):
                liveness.received()


async def _until_larger(pid: int, most: int | None) -> None:
    """Until the process has more memory of its own than `most` bytes. Pages of mapped files, which the kernel can take back,
    do not count. Never if `most` is None: limits of the kernel count the address space, of which torch reserves gigabytes."""
    if most is not None:
        with contextlib.suppress(psutil.Error):  # it has ended
            while _own_memory(pid) <= most:
                await asyncio.sleep(MEMORY_CHECK_SECONDS)
            return
    await asyncio.Event().wait()


def _own_memory(pid: int) -> int:
    about = psutil.Process(pid).memory_info()
    used: int = about.rss - getattr(about, "shared", 0)
    return used


async def _communicate(process: Process, stdin: bytes, most_bytes: int) -> Completed:
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None  # noqa: S101
    stdout, stderr, _ = await asyncio.gather(
        _read_all(process.stdout, most_bytes), _read_start(process.stderr), _write(process.stdin, stdin)
    )
    return Completed(await process.wait(), stdout, stderr)


async def _write(stream: asyncio.StreamWriter, data: bytes) -> None:
    # The process may have ended; its status says why. uvloop raises a RuntimeError when it has closed the pipe already.
    with contextlib.suppress(ConnectionError, RuntimeError):
        stream.write(data)
        await stream.drain()
        stream.close()


async def _read_all(stream: asyncio.StreamReader, most_bytes: int) -> bytes:
    data = bytearray()
    while chunk := await stream.read(CHUNK):
        data += chunk
        if len(data) > most_bytes:
            raise OutputTooLarge(OutputTooLarge.__doc__)
    return bytes(data)


async def _read_start(stream: asyncio.StreamReader) -> bytes:
    """The first bytes; the rest is read and dropped, so that the process never waits for a reader."""
    kept = b""
    while chunk := await stream.read(CHUNK):
        kept += chunk[: MOST_STDERR_BYTES - len(kept)]
    return kept
