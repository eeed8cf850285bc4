"""The errors of signatures. The docstring of each class is its default message.

SignatureError             a version's signature is missing, wrong, or by no trusted key
├── InvalidSignature       what is wrong with it
└── NotTrusted             a version that is not served therefore
SigningFailed              a kind of Unavailable: no signature could be made or verified now
InvalidSigningKey          a key file that cannot be used
"""

from model_store.errors import StoreError, Unavailable, shown


class SignatureError(StoreError):
    """The version has no signature that is trusted."""


class InvalidSignature(SignatureError):
    """The signature is not valid."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"The signature is not valid: {reason}.")


class NotTrusted(SignatureError):
    """The version is not signed by a key that this service trusts."""

    def __init__(self, name: str, number: int, reason: str) -> None:
        super().__init__(
            f"Version {number} of {shown(name)} is not served, since this service requires signatures: {reason}."
        )


class SigningFailed(Unavailable):
    """No signature can be made or verified now."""


class InvalidSigningKey(StoreError):
    """The file holds no key for signatures."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path} cannot be used as a key for signatures: {reason}")
