"""Which keys a start requires (P-11), and which addresses count as loopback."""

from pathlib import Path

import pytest

from service.access.errors import InvalidKey, KeysNeeded
from service.access.keyring import Keyring
from service.access.loopback import is_loopback
from service.access.scopes import Scope
from service.keys import open_keys
from service.settings import Settings

OURS = ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LOCALHOST"]
ALL = "0.0.0.0"  # noqa: S104 - what the tests are about
OTHERS = [ALL, "::", "10.0.0.1", "192.168.1.5", "", "localhost.evil.com", "127.0.0.1.evil.com", "127.1", "0x7f000001",
          "2130706433", "host", "::ffff:10.0.0.1", "[::1]", "127.0.0.1 ", "１２７.0.0.1"]  # fmt: skip


@pytest.mark.parametrize("host", OURS)
def test_the_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", OTHERS)
def test_addresses_that_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)


def opened(home: Path, host: str, given: str | None = None, **how: bool) -> Keyring:
    return open_keys(Settings.read(home=home, host=host, admin_key=given, **how))


@pytest.mark.parametrize("host", OTHERS)
def test_without_keys_other_addresses_are_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(KeysNeeded, match="keys create"):
        opened(tmp_path, host)


@pytest.mark.parametrize("host", OURS)
def test_without_keys_the_loopback_is_accepted(tmp_path: Path, host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert not opened(tmp_path, host).on
    assert not capsys.readouterr().out and not (tmp_path / "access").exists()


def test_insecure_disables_authentication_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not opened(tmp_path, ALL, first_key=True, insecure=True).on
    assert not capsys.readouterr().out and not (tmp_path / "access").exists()
    assert "authentication is disabled" in caplog.text


def test_a_first_key_is_made_and_printed_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    keyring = opened(tmp_path, ALL, first_key=True)
    key = keyring.verify(b"Bearer " + capsys.readouterr().out.splitlines()[-1].encode())
    assert key is not None and key.level is Scope.ADMIN
    assert opened(tmp_path, ALL, first_key=True).on
    assert not capsys.readouterr().out and not caplog.text


def test_with_a_key_any_address_is_accepted(tmp_path: Path) -> None:
    assert opened(tmp_path / "given", "10.0.0.1", "correct-horse-battery-staple-and-more").on
    Keyring(tmp_path / "own" / "access").create("ann", [Scope.PREDICT])
    assert opened(tmp_path / "own", "10.0.0.1", insecure=True).on


@pytest.mark.parametrize("weak", ["", "x", "   ", "changeme"])
def test_a_weak_configured_key_is_refused(tmp_path: Path, weak: str) -> None:
    for host in ("127.0.0.1", "10.0.0.1"):
        with pytest.raises(InvalidKey):
            opened(tmp_path, host, weak, insecure=True)
