"""The keys that a service starts with, by its settings."""

import logging

from service.access.errors import KeysNeeded
from service.access.keyring import Keyring
from service.access.loopback import is_loopback
from service.home import Home, HomeError
from service.opening import check
from service.settings import Settings

log = logging.getLogger(__name__)


def open_keys(settings: Settings) -> Keyring:
    """The keys of the home. If there are none, a first key is created and printed where the settings ask for it.

    Raises:
        KeysNeeded: there are none, and other machines can reach the address that is served.
        KeysCorrupt, InvalidKey: the keys are not valid.
        NoSpace, Unavailable: the first key could not be written.
        HomeError: something that the home has held is missing.
    """
    check(settings)
    home, host = Home(settings.home.resolve()), settings.host
    given = None if settings.admin_key is None else settings.admin_key.get_secret_value()
    keyring = Keyring(home.folder / "access", given, on_write=lambda: keys_kept(home))
    if keyring.on:
        return keyring
    if settings.insecure:
        log.warning("authentication is disabled on %s: --insecure, and there are no keys", host)
    elif settings.first_key:
        if (secret := keyring.create_first()) is not None:  # printed and not logged: log lines are passed on
            about = "The first key of this service, scope admin. It is shown this once and kept nowhere:"
            print(f"{about}\n{secret}", flush=True)  # noqa: T201
        keyring.reload()
    elif not is_loopback(host):
        raise KeysNeeded(
            f"There are no keys, and {host} can be reached from other machines. Make one (modelwright keys create NAME "
            "--scope admin), let the start make one (--first-key), or disable authentication (--insecure)."
        )
    return keyring


def keys_kept(home: Home) -> None:
    """Records that the home has keys. An error is logged, not raised: the new key must still reach its holder."""
    try:
        home.remember("keys")
    except (HomeError, OSError) as error:
        log.error("the home's record of its keys could not be written: %s", error)
