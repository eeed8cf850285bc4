"""What can go wrong with access. The docstring of each class is its default message."""


class AccessError(Exception):
    """Access could not be decided."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class Unauthorized(AccessError):
    """A key is needed: Authorization: Bearer <key>."""


class UnknownKey(Unauthorized):
    """The key in Authorization is not one of this service, has expired or was revoked."""


class Forbidden(AccessError):
    """This is not allowed."""


class ApiKeyNotFound(AccessError):
    """There is no key with this name or id that was not revoked."""


class ApiKeyExists(AccessError):
    """There is a key of this name; revoke it first, or choose another name."""


class InvalidKey(AccessError):
    """A key with these settings would not be valid."""


class KeysCorrupt(AccessError):
    """The file of keys in the home cannot be read, so no request is authorized."""


class KeysNeeded(AccessError):
    """There are no keys."""
