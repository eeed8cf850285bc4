"""A service for other machines: its first key, a second one, a revoked one, and the audit log of it. With two services on one
home, the real command line, and the client."""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from modelwright import ApiError, Client
from tests.harness.line import line
from tests.harness.server import ROOT, Server
from tests.harness.until import until


def modelwright(*arguments: object, key: str = "", url: str = "") -> "subprocess.CompletedProcess[str]":
    """Runs the command in a separate process."""
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment |= {"MODELWRIGHT_API_KEY": key, "MODELWRIGHT_URL": url}
    command = [sys.executable, "-m", "service", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300)  # noqa: S603 - our own


def client(server: Server, key: str) -> Client:
    return Client(server.url, api_key=key, transport=httpx.HTTPTransport())


def test_keys_from_the_first_to_a_revoked_one(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with Server(home, first_key="true") as one:
        (first,) = re.findall(r"^mw_[\w-]{43}$", one.log(), re.MULTILINE)
        with pytest.raises(ApiError) as caught:
            one.client.train(line())
        assert (caught.value.status, caught.value.code) == (401, "unauthorized")

        made = modelwright("keys", "create", "bob", "--scope", "predict", "--home", home)
        bob = made.stdout.strip()
        with (
            client(one, first) as admin,
            Server(home, log="second", first_key="true", workers=2) as two,
            client(two, bob) as other,
        ):
            assert "mw_" not in two.log()
            admin.wait(admin.train(line())["id"])
            answer = until(lambda: predicted(other))
            assert answer == admin.predict("line", [[0.5]])["predictions"]
            with pytest.raises(ApiError) as caught:
                other.delete_model("line")
            assert (caught.value.status, caught.value.code) == (403, "forbidden")
            assert modelwright("predict", "line", "x=0.5", key=bob, url=two.url).returncode == 0

            ann = admin.create_key("ann", ["train"], expires_in_days=1)
            listed = list(admin.keys())
            assert [each["name"] for each in listed] == ["first", "bob", "ann"]
            with client(one, ann["key"]) as colleague:
                assert colleague.state_dict("line", 1)

            admin.revoke_key("bob")  # in the first service
            until(lambda: predicted(other) is None)
            refused = modelwright("predict", "line", "x=0.5", key=bob, url=two.url)
            assert refused.returncode == 5 and refused.stderr.startswith("Error: The key in Authorization")

            lines = list(admin.audit())
            assert [
                (each["who"], each["status"], [change["what"] for change in each["changes"]]) for each in lines
            ] == [
                (None, 401, []),
                ("command line", None, ["key.created"]),
                ("first", 202, ["job.created"]),
                ("bob", 403, []),
                ("first", 201, ["key.created"]),
                ("first", 204, ["key.revoked"]),
            ]
            assert two.stop() == 0
        assert one.stop() == 0
        for secret in (first, bob):
            assert one.log().count(secret) == (secret == first)
            assert not [path for path in home.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def predicted(other: Client) -> list[float] | None:
    """The prediction; None while the key is refused."""
    try:
        predictions: list[float] = other.predict("line", [[0.5]])["predictions"]
    except ApiError as error:
        if error.status != 401:
            raise
        return None
    return predictions
