"""What a process opens and checks first, before it imports torch and FastAPI, so that mistakes are reported at once."""

from dataclasses import dataclass
from pathlib import Path

from service.access.audit import Audit
from service.access.keyring import Keyring
from service.background.training_service import WebhookSettings, webhook_settings
from service.keys import open_keys
from service.settings import Settings
from service.signatures.signatures import Signatures


@dataclass(frozen=True)
class Startup:
    """The settings, and what was opened according to them."""

    settings: Settings
    home: Path
    keyring: Keyring
    audit: Audit
    webhooks: WebhookSettings
    signatures: Signatures


def start_up(settings: Settings) -> Startup:
    """Opens the keys of the home (a first one is created where the settings ask for it), and reads the webhook settings and the
    keys for signatures.

    Raises:
        AccessError: the keys are not valid, or there are none where there must be.
        HomeError: something that the home has held is missing.
        InvalidSettings: a key for signatures cannot be used.
        WebhooksMisconfigured: the webhook settings are not valid.
    """
    home, signatures = settings.home.resolve(), Signatures.open(settings)  # first: a first key is printed once
    audit = Audit(home / "audit")
    return Startup(settings, home, open_keys(settings), audit, webhook_settings(settings), signatures)
