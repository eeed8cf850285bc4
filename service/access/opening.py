"""What a start asks of the keys: nobody serves other machines without having been told in so many words that all may come."""

import logging
from collections.abc import Callable
from pathlib import Path

from service.access.errors import KeysNeeded
from service.access.keyring import Keyring
from service.access.loopback import is_loopback

log = logging.getLogger(__name__)


def open_keyring(
    folder: Path,
    *,
    given: str | None,
    first: bool,
    host: str,
    insecure: bool,
    tell: Callable[[str], None],
    kept: Callable[[], None] = lambda: None,
) -> Keyring:
    """The keys to serve with.

    Args:
        folder: of the keys.
        given: a key of the configuration.
        first: make a first key where there is none, and tell it, once.
        host: the address to listen on.
        insecure: whoever reaches it may do everything.
        tell: to whom the first key is shown.
        kept: called whenever keys were written to the home.

    Raises:
        KeysNeeded: there is none, and the address can be reached from other machines.
        KeysCorrupt, InvalidKey: the keys are not right.
        NoSpace, Unavailable: the first key could not be kept.
    """
    keyring = Keyring(folder, given, kept=kept)
    if keyring.on:
        return keyring
    if insecure:
        log.warning("--insecure, and there are no keys: whoever reaches %s may do everything", host)
        return keyring
    if first:
        if (secret := keyring.first()) is not None:
            tell(f"The first key of this service, scope admin. It is shown this once and kept nowhere:\n{secret}")
        keyring.look()
    elif not is_loopback(host):
        raise KeysNeeded(
            f"There are no keys, and {host} can be reached from other machines. Make one (modelwright keys create NAME "
            "--scope admin), or let the start make one (--first-key), or say --insecure to let everybody do everything."
        )
    return keyring
