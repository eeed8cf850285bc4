"""API keys, the audit log, and what the service is: calls of the client."""

from collections.abc import Sequence

from modelwright.calls import json_of, pages, path
from modelwright.methods import operation, stream
from modelwright.results import AuditLine, Key, NewKey, ServiceDescription
from modelwright.steps import Call, Steps, Stream


class Access:
    """API keys, the audit log, and what the service is, as steps."""

    @operation
    def service(self) -> Steps[ServiceDescription]:
        """The versions of the service and its libraries, and what this client's key may do; to administrators also its memory and
        settings."""
        return ServiceDescription((yield from json_of(Call("GET", "/v1/service"))))

    @stream
    def keys(self) -> Stream[Key]:
        """All keys, the oldest first, without their secrets."""
        yield from pages(Key, "/v1/keys", "id")

    @operation
    def create_key(self, name: str, scopes: Sequence[str], expires_in_days: float | None = None) -> Steps[NewKey]:
        """Creates a key; `key` in the result is the secret, which is returned only here."""
        wanted = {"name": name, "scopes": list(scopes), "expires_in_days": expires_in_days}
        return NewKey((yield from json_of(Call("POST", "/v1/keys", json=wanted))))

    @operation
    def revoke_key(self, key: str) -> Steps[None]:
        """Revokes a key, by its name or id."""
        yield Call("DELETE", path("keys", key))

    @stream
    def audit(self) -> Stream[AuditLine]:
        """The audit log from its beginning: changes and refused attempts at changes."""
        yield from pages(AuditLine, "/v1/audit", "id")
