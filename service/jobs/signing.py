"""Signatures of webhooks by the Standard Webhooks specification: HMAC-SHA256 of id, time and body."""

import base64
import binascii
import hashlib
import hmac

from pydantic import SecretStr

from service.jobs.errors import WebhooksMisconfigured

PREFIX = "whsec_"
FEWEST_BYTES = 24


class Signer:
    """Signs with the operator's secret: `whsec_` and the key in base64, or any other text, which is the key itself.

    Raises:
        WebhooksMisconfigured: there is no secret, or it is too short or no base64.
    """

    def __init__(self, secret: SecretStr | None) -> None:
        self._key = _key(secret.get_secret_value() if secret is not None else "")

    def headers(self, message_id: str, seconds: int, body: bytes) -> dict[str, str]:
        """The headers by which a receiver verifies the sender and the time. `seconds` is the Unix time."""
        signed = b"%s.%d.%s" % (message_id.encode(), seconds, body)
        signature = base64.b64encode(hmac.digest(self._key, signed, hashlib.sha256)).decode()
        about = {"webhook-id": message_id, "webhook-timestamp": str(seconds)}
        return about | {"webhook-signature": f"v1,{signature}"}


def _key(secret: str) -> bytes:
    wanted = f"{PREFIX} and base64, or a text, of at least {FEWEST_BYTES} bytes"
    if not secret:
        message = f"MODELWRIGHT_WEBHOOK_HOSTS is set, so MODELWRIGHT_WEBHOOK_SECRET must be: {wanted}"
        raise WebhooksMisconfigured(message)
    key = secret.encode()
    if secret.startswith(PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            raise WebhooksMisconfigured(f"MODELWRIGHT_WEBHOOK_SECRET is no base64 after {PREFIX}") from None
    if len(key) < FEWEST_BYTES:
        raise WebhooksMisconfigured(f"MODELWRIGHT_WEBHOOK_SECRET is too short; it must be {wanted}")
    return key
