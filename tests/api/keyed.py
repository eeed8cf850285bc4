"""A server with keys of every kind, created in its home before it starts."""

from pathlib import Path
from typing import Any

import httpx

from service.access.keyring import Keyring
from service.access.scopes import Scope
from tests.harness.server import Server

DAY = 86_400


class KeyedServer(Server):
    """`keys` holds one for each scope, an expired and a revoked one."""

    def __init__(self, home: Path, **settings: Any) -> None:
        keyring = Keyring(home / "access")
        self.keys = {scope.word: keyring.create(scope.word, [scope])[1] for scope in Scope}
        self.keys["expired"] = keyring.create("expired", [Scope.ADMIN], days=0.001 / DAY)[1]
        self.keys["revoked"] = keyring.create("revoked", [Scope.ADMIN])[1]
        keyring.revoke("revoked")
        self.keys["made-up"] = "mw_" + "A" * 43
        super().__init__(home, **settings)

    def as_(self, key: str) -> httpx.Client:
        """A client that sends that key."""
        client = self.http_client()
        client.headers["Authorization"] = f"Bearer {self.keys[key]}"
        return client
