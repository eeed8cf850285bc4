"""Push and pull: calls of the client."""

from collections.abc import Callable
from typing import TypeAlias

from modelwright.calls import Version
from modelwright.drivers import Awaiting, Waiting
from modelwright.methods import operation
from modelwright.results import Published
from modelwright.steps import Steps

Service: TypeAlias = Waiting | Awaiting
Progress: TypeAlias = Callable[[str, int, int], object]


class Transfers:
    """Push and pull, as steps.

    Both return the version on the receiving service: `name`, `version`, `digest`, and `new`, whether anything was sent.
    `progress` is called with "download" or "upload", the bytes so far, and all of them. A cut connection is taken up again
    where it ended; after 9 failures in a row without progress, or 100 in all, the error is raised. The bundle passes through
    a temporary file.

    Raises:
        TransferFailed: the digests differ, or the alias was moved by someone else meanwhile.
        Unreachable, ApiError, UnexpectedAnswer: as every call.
    """

    @operation
    def push(
        self,
        other: Service,
        name: str,
        version: Version = "latest",
        *,
        as_name: str | None = None,
        alias: str | None = None,
        progress: Progress | None = None,
    ) -> Steps[Published]:
        """Copies a version of this service to another one, under the name `as_name` if given. Then `alias` of the other
        service points at it, unless someone else has moved it meanwhile."""
        from modelwright.copies import copy  # slow to import, and rarely needed

        return Published((yield from copy(self, other, name, version, as_name or name, alias, progress)))

    @operation
    def pull(
        self,
        other: Service,
        name: str,
        version: Version = "latest",
        *,
        as_name: str | None = None,
        alias: str | None = None,
        progress: Progress | None = None,
    ) -> Steps[Published]:
        """Copies a version of another service to this one; otherwise as `push`."""
        from modelwright.copies import copy  # as above

        return Published((yield from copy(other, self, name, version, as_name or name, alias, progress)))
