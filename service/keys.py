"""The keys that a service starts with, by its settings."""

import logging

from service.access.keyring import Keyring
from service.access.opening import open_keyring
from service.home import Home, HomeError
from service.opening import check
from service.settings import Settings

log = logging.getLogger(__name__)


def open_keys(settings: Settings) -> Keyring:
    """The keys of the home; a first one is made and shown where the settings want it.

    Raises:
        AccessError: they are not right, or there are none where there must be.
        HomeError: something is gone that the home has held.
    """
    check(settings)
    home = Home(settings.home.resolve())
    return open_keyring(
        home.folder / "access",
        given=None if settings.admin_key is None else settings.admin_key.get_secret_value(),
        first=settings.first_key,
        host=settings.host,
        insecure=settings.insecure,
        tell=lambda text: print(text, flush=True),  # noqa: T201 - not by the log, whose lines go further
        kept=lambda: keys_kept(home),
    )


def keys_kept(home: Home) -> None:
    """Records that the home has keys. What goes wrong is logged: the key that was just made must reach its holder."""
    try:
        home.remember("keys")
    except (HomeError, OSError) as error:
        log.error("that there are keys could not be recorded: %s", error)
