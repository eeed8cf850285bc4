"""A short-lived child process that does what could break or hold up the service: it reads one table, or draws one chart."""

import asyncio
import contextlib
import os
from asyncio.subprocess import Process, SubprocessStreamProtocol
from collections.abc import Mapping
from dataclasses import dataclass

from service import interpreter
from service.liveness import LOOK, Liveness

CHUNK = 2**16
MOST_ERROR_BYTES = 2**16  # of its standard error that are kept


class ChildFailed(Exception):
    """The process that does this had to be ended; ask again."""


class StoodStill(ChildFailed):
    """The process that does this stood still and was ended; ask again."""


class SaidTooMuch(ChildFailed):
    """The process that does this wrote more than it may and was ended."""


@dataclass(frozen=True)
class Ended:
    """How a child process ended: its exit status, a negative one for the signal that killed it, and what it wrote."""

    status: int
    output: bytes
    errors: bytes


async def run(
    module: str,
    *arguments: str,
    said: bytes,
    environment: Mapping[str, str],
    most_seconds: float,
    most_bytes: int,
) -> Ended:
    """Runs `python -m module DESCRIPTOR ARGUMENT…`, which sends its heartbeats to the descriptor, and waits for its end.
    It is killed when it stands still, when it writes more than `most_bytes`, and when this is cancelled.

    Raises:
        TimeoutError: it took longer than it may.
        StoodStill: it showed no sign of life.
        SaidTooMuch: it wrote more than it may.
        OSError: it could not be started.
    """
    reading, writing = os.pipe()
    try:
        os.set_blocking(reading, False)
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.subprocess_exec(
            lambda: SubprocessStreamProtocol(limit=CHUNK, loop=loop),
            *interpreter.command(module, str(writing), *arguments),
            env={
                "PATH": os.environ.get("PATH", ""),
                "PYTHONDONTWRITEBYTECODE": "1",
                **interpreter.import_path(),
                **environment,
            },
            pass_fds=[writing],
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    process = Process(transport, protocol, loop)
    watching = asyncio.create_task(_watch(process.pid, reading))
    talking = asyncio.create_task(_talk(process, said, most_bytes))
    try:
        done, _ = await asyncio.wait((talking, watching), timeout=most_seconds, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            raise TimeoutError
        if talking not in done:
            raise StoodStill(StoodStill.__doc__)
        return await talking
    finally:
        # Kills it, and closes the pipes: asyncio waits for their ends as well, which do not come
        # while nobody reads, or while a process that it started has them open.
        transport.close()
        for each in (watching, talking):
            each.cancel()
        await asyncio.gather(process.wait(), watching, talking, return_exceptions=True)
        os.close(reading)


async def _watch(pid: int, descriptor: int) -> None:
    """Returns when the process stands still."""
    liveness = Liveness(pid)
    while not liveness.stands_still():
        await asyncio.sleep(LOOK)
        with contextlib.suppress(BlockingIOError):
            if os.read(descriptor, CHUNK):
                liveness.heard()


async def _talk(process: Process, said: bytes, most_bytes: int) -> Ended:
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None  # noqa: S101
    output, errors, _ = await asyncio.gather(
        _all(process.stdout, most_bytes), _first(process.stderr), _tell(process.stdin, said)
    )
    return Ended(await process.wait(), output, errors)


async def _tell(stream: asyncio.StreamWriter, said: bytes) -> None:
    with contextlib.suppress(ConnectionError):  # it has ended, and its status says why
        stream.write(said)
        await stream.drain()
        stream.close()


async def _all(stream: asyncio.StreamReader, most: int) -> bytes:
    pieces: list[bytes] = []
    while chunk := await stream.read(CHUNK):
        most -= len(chunk)
        if most < 0:
            raise SaidTooMuch(SaidTooMuch.__doc__)
        pieces.append(chunk)
    return b"".join(pieces)


async def _first(stream: asyncio.StreamReader) -> bytes:
    """The first bytes of what it writes; the rest is read and dropped, so that it never waits for a reader."""
    kept = b""
    while chunk := await stream.read(CHUNK):
        kept += chunk[: MOST_ERROR_BYTES - len(kept)]
    return kept
