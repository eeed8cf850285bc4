"""What an attempt prints: its first lines go to the service's log under the job's name, the rest is dropped."""

import logging
import os

MOST = 1 << 16  # bytes of an attempt that are logged
CHUNK = 1 << 16

log = logging.getLogger(__name__)


class Output:
    """The reading end of an attempt's standard output and error."""

    def __init__(self, job_id: str, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self._job_id = job_id
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
            log.warning("job %s prints more than %d bytes; the rest is dropped", self._job_id, MOST)
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
            log.info("job %s prints: %s", self._job_id, text)
