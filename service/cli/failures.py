"""What a command that fails says next, and the exit status it ends with."""

import difflib
import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelwright import ApiError, Client

FAILED, USAGE, NOT_FOUND, NO_SERVICE, NOT_ALLOWED, INTERRUPTED = 1, 2, 3, 4, 5, 130
EXIT_STATUSES = (
    "Exit status: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 no service at the address, 5 no key or too narrow a "
    "key, 130 interrupted."
)
NOT_KNOWN = 404
MOST_NAMES = 1000  # that are compared with one that is not known
IN_QUOTES = re.compile(r"'([^']+)'")
SCOPE = re.compile(r"the scope (\w+)")


class CommandFailed(Exception):
    """A command could not do what it was asked for; the message says why."""


def exit_status(error: BaseException) -> int:
    """The exit status for an error."""
    from modelwright import ApiError, Unreachable

    if isinstance(error, Unreachable):
        return NO_SERVICE
    if isinstance(error, ApiError):
        return {401: NOT_ALLOWED, 403: NOT_ALLOWED, NOT_KNOWN: NOT_FOUND}.get(error.status, FAILED)
    return FAILED


def next_step(error: Exception, client: "Client", *, has_key: bool) -> str | None:
    """What a person can do about an error of a call, None where its message says enough.

    Args:
        error: of the call.
        client: of the service that was asked; it may be asked for the names that there are.
        has_key: whether the call was made with a key.
    """
    from modelwright import ApiError, ModelwrightError, Unreachable

    if isinstance(error, Unreachable):
        return "Start a service with `modelwright serve`, or give the address of one with --url or MODELWRIGHT_URL."
    if not isinstance(error, ApiError):
        return None
    if error.status == 401:
        first = "MODELWRIGHT_API_KEY holds no valid key of this service" if has_key else "Set MODELWRIGHT_API_KEY"
        return f"{first}. A key is made on the service's machine: modelwright keys create NAME --scope train"
    if error.status == 403 and (scope := SCOPE.search(error.detail)):
        return (
            "Set MODELWRIGHT_API_KEY to such a key. It is made on the service's machine: "
            f"modelwright keys create NAME --scope {scope[1]}"
        )
    if error.status == NOT_KNOWN:
        try:
            return _known(error, client)
        except ModelwrightError:
            return None
    return None


def _known(error: "ApiError", client: "Client") -> str | None:
    """What there is in place of what was not found."""
    if error.code == "job_not_found":
        return "`modelwright jobs list` lists the jobs."
    if error.code == "sweep_not_found":
        return "`modelwright sweeps list` lists the sweeps."
    quoted = IN_QUOTES.search(error.detail)
    if quoted is None:
        return None
    name = quoted[1]
    if error.code == "model_not_found":
        return _nearest(name, (each["name"] for each in client.models()), "model", "models")
    if error.code == "dataset_not_found":
        return _nearest(name, (each["name"] for each in client.datasets()), "data set", "datasets")
    if error.code == "version_not_found":
        numbers = [str(each["version"]) for each in islice(client.versions(name), 10)]
        aliases = [each["alias"] for each in client.aliases(name)]
        known = f"Its newest versions: {', '.join(numbers)}."
        return f"{known} Its aliases: {', '.join(aliases)}." if aliases else f"{known} It has no aliases."
    return None


def _nearest(name: str, names: Iterator[str], kind: str, command: str) -> str:
    known = list(islice(names, MOST_NAMES))
    if near := difflib.get_close_matches(name, known, 3, 0.6):
        return f"Did you mean {' or '.join(near)}? `modelwright {command} list` lists every {kind}."
    return f"`modelwright {command} list` lists every {kind}." if known else f"There is no {kind} yet."
