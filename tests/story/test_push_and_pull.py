"""A version goes from one service to another and back: keys, broken connections, and a service that is killed in between."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from modelwright import ApiError, Client
from service.access.keyring import Keyring
from service.access.scopes import Scope
from tests.harness.cutting_proxy import CuttingProxy
from tests.harness.line import line
from tests.harness.server import ROOT, Server, verify


class Afar(Server):
    """A service with keys."""

    def __init__(self, home: Path) -> None:
        keyring = Keyring(home / "access")
        self.key, self.narrow = (keyring.create(scope.word, [scope])[1] for scope in (Scope.ADMIN, Scope.PREDICT))
        super().__init__(home, workers=1)

    def as_(self, key: str) -> Client:
        """A client with that key."""
        return Client(self.url, api_key=key, transport=httpx.HTTPTransport())


@pytest.fixture(scope="module")
def afar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Afar]:
    with Afar(tmp_path_factory.mktemp("afar") / "home") as started:
        yield started


def modelwright(server: Server, *arguments: object, key: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment |= {"MODELWRIGHT_URL": server.url, "MODELWRIGHT_OTHER_API_KEY": key}
    environment.pop("MODELWRIGHT_API_KEY", None)
    command = [sys.executable, "-m", "service", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300)  # noqa: S603 - our own


def test_a_model_is_shared_and_comes_back(server: Server, afar: Afar) -> None:
    server.client.wait(server.client.train(line(5, name="told-afar"))["id"])
    digest = server.client.manifest("told-afar", 1)["digest"]
    expected: Any = server.client.predict("told-afar", [[0.5]])["predictions"]
    with CuttingProxy(afar.url, up=[3000, 2000]) as proxy:
        pushed = modelwright(
            server, "push", "told-afar@1", proxy.url, "--as", "heard", "--alias", "production", key=afar.key
        )
        assert (pushed.returncode, pushed.stdout) == (0, "heard@1\n"), pushed.stderr
        assert pushed.stderr.startswith("receiving ") and "sending " in pushed.stderr
        assert proxy.cuts_left == 0
    with afar.as_(afar.key) as there:
        assert there.predict("heard", [[0.5]])["predictions"] == expected  # of the alias
        assert there.manifest("heard", "production")["digest"] == digest

        again = server.client.push(there, "told-afar", as_name="heard")
        assert (again["version"], again["new"]) == (1, False)
        pulled = modelwright(server, "pull", afar.url, "heard@production", "--as", "back", "--json", key=afar.key)
        assert pulled.returncode == 0 and f'"digest": "{digest}"' in pulled.stdout
        assert server.client.predict("back", [[0.5]])["predictions"] == expected

        for key, status in ((afar.narrow, 403), ("mw_wrong", 401)):
            with afar.as_(key) as stranger:
                for copy, name in ((server.client.push, "told-afar"), (server.client.pull, "heard")):
                    with pytest.raises(ApiError) as caught:
                        copy(stranger, name, as_name="refused")
                    assert caught.value.status == status and key not in str(caught.value)
        changes = [change["what"] for each in there.audit() for change in each["changes"]]
        assert changes == ["version.imported", "alias.moved"]
        for service in (there, server.client):
            with pytest.raises(ApiError, match="refused"):
                service.model("refused")


@pytest.mark.nightly
def test_a_push_goes_on_after_the_other_service_was_killed(server: Server, afar: Afar) -> None:
    wide = line(0, name="told-twice") | {"model": {"kind": "mlp", "hidden": [700, 700]}}
    server.client.wait(server.client.train(wide)["id"])
    size = int(server.http.head("/v1/models/told-twice/versions/1/bundle").headers["Content-Length"])

    def kill() -> None:
        afar.kill()
        afar.start()
        proxy.forward_to(afar.url)

    with CuttingProxy(afar.url, up=[size // 2], before_cut=kill) as proxy:
        with Client(proxy.url, api_key=afar.key, transport=httpx.HTTPTransport()) as there:
            pushed = server.client.push(there, "told-twice", as_name="twice", alias="production")
        assert proxy.cuts_left == 0 and proxy.bytes["up"] < 1.4 * size  # what was sent last may not have arrived
    with afar.as_(afar.key) as there:
        assert there.manifest("twice", "production")["digest"] == pushed["digest"]
    verify(afar.home)
