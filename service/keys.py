"""The keys that a service starts with, by its settings."""

from service.access.keyring import Keyring
from service.access.opening import open_keyring
from service.settings import Settings


def open_keys(settings: Settings) -> Keyring:
    """The keys of the home; a first one is made and shown where the settings want it.

    Raises:
        AccessError: they are not right, or there are none where there must be.
    """
    return open_keyring(
        settings.home.resolve() / "access",
        given=None if settings.admin_key is None else settings.admin_key.get_secret_value(),
        first=settings.first_key,
        host=settings.host,
        insecure=settings.insecure,
        tell=lambda text: print(text, flush=True),  # noqa: T201 - not by the log, whose lines go further
    )
