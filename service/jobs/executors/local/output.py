"""What trainers print: the first 64 KiB of each go to the service's log with the job's id, the rest is dropped."""

import logging
import os

MOST = 1 << 16  # bytes of a process that are logged
CHUNK = 1 << 16

log = logging.getLogger(__name__)


class Output:
    """The reading end of a process's standard output and error.

    Args:
        descriptor: of the pipe.
        job_id: of the attempt's job; None for the trainer server.
    """

    def __init__(self, descriptor: int, job_id: str | None = None) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self._source = "the trainer server" if job_id is None else f"job {job_id}"
        self._extra = {} if job_id is None else {"job_id": job_id}
        self._left = MOST
        self._unfinished = b""

    def read(self) -> bool:
        """Reads what is there, so that the process never blocks on its output; False at the end."""
        try:
            chunk = os.read(self.descriptor, CHUNK)
        except BlockingIOError:
            return True
        *lines, self._unfinished = (self._unfinished + chunk[: self._left]).split(b"\n")
        was, self._left = self._left, max(0, self._left - len(chunk))
        for line in lines:
            self._log(line)
        if was and not self._left:
            log.warning("%s prints more than %d bytes; the rest is dropped", self._source, MOST, extra=self._extra)
        return bool(chunk)

    def close(self) -> None:
        """Logs what is left, and closes the pipe."""
        self.read()  # once: another process may still have the other end open
        self._log(self._unfinished)
        os.close(self.descriptor)

    def _log(self, line: bytes) -> None:
        if line.strip():
            # A line stays one line, so that no output can pass for another log line.
            signs = line.decode(errors="replace")
            text = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in signs)
            log.info("%s prints: %s", self._source, text, extra=self._extra)
