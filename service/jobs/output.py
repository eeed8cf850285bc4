"""What trainers print: the first lines go to the service's log under the job's name, the rest is dropped."""

import logging
import os

MOST = 1 << 16  # bytes of a process that are logged
CHUNK = 1 << 16

log = logging.getLogger(__name__)


class Output:
    """The reading end of a process's standard output and error.

    Args:
        descriptor: of the pipe.
        job_id: of the attempt's job; none where it is the trainer server.
    """

    def __init__(self, descriptor: int, job_id: str | None = None) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self._who = "the trainer server" if job_id is None else f"job {job_id}"
        self._about = {} if job_id is None else {"job_id": job_id}
        self._left = MOST
        self._unfinished = b""

    def read(self) -> bool:
        """Takes what there is, so that the attempt never waits for a reader; False at the end."""
        try:
            chunk = os.read(self.descriptor, CHUNK)
        except BlockingIOError:
            return True
        *lines, self._unfinished = (self._unfinished + chunk[: self._left]).split(b"\n")
        was, self._left = self._left, max(0, self._left - len(chunk))
        for line in lines:
            self._log(line)
        if was and not self._left:
            log.warning("%s prints more than %d bytes; the rest is dropped", self._who, MOST, extra=self._about)
        return bool(chunk)

    def close(self) -> None:
        """Takes and logs what is left, and closes."""
        self.read()  # no more than a pipe holds; somebody else may still have its other end
        self._log(self._unfinished)
        os.close(self.descriptor)

    def _log(self, line: bytes) -> None:
        if line.strip():
            # A line stays one line: nobody writes into the log what looks like another's.
            text = "".join(
                each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in line.decode(errors="replace")
            )
            log.info("%s prints: %s", self._who, text, extra=self._about)
