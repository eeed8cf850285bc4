"""What a start asks of the keys (P-11), and which addresses it takes for its own machine's."""

from pathlib import Path
from typing import Any

import pytest

from service.access.errors import InvalidKey, KeysNeeded
from service.access.keyring import Keyring
from service.access.loopback import is_loopback
from service.access.opening import open_keyring
from service.access.scopes import Scope

OURS = ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LOCALHOST"]
ALL = "0.0.0.0"  # noqa: S104 - what the tests are about
OTHERS = [ALL, "::", "10.0.0.1", "192.168.1.5", "", "localhost.evil.com", "127.0.0.1.evil.com", "127.1", "0x7f000001",
          "2130706433", "host", "::ffff:10.0.0.1", "[::1]", "127.0.0.1 ", "１２７.0.0.1"]  # fmt: skip


@pytest.mark.parametrize("host", OURS)
def test_the_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", OTHERS)
def test_what_others_may_reach(host: str) -> None:
    assert not is_loopback(host)


def opened(folder: Path, host: str, given: str | None = None, **how: bool) -> tuple[Keyring, list[str]]:
    told: list[str] = []
    about: dict[str, Any] = {"first": False, "insecure": False} | how
    return open_keyring(folder, given=given, host=host, tell=told.append, **about), told


@pytest.mark.parametrize("host", OTHERS)
def test_without_keys_nobody_else_is_served(tmp_path: Path, host: str) -> None:
    with pytest.raises(KeysNeeded, match="keys create"):
        opened(tmp_path, host)


@pytest.mark.parametrize("host", OURS)
def test_without_keys_its_own_machine_is(tmp_path: Path, host: str) -> None:
    keyring, told = opened(tmp_path / "access", host)
    assert not keyring.on and not told and not (tmp_path / "access").exists()


def test_told_in_so_many_words_it_serves_all_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keyring, told = opened(tmp_path, ALL, first=True, insecure=True)
    assert not keyring.on and not told
    assert "may do everything" in caplog.text


def test_a_first_key_is_made_and_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keyring, (told,) = opened(tmp_path, ALL, first=True)
    key = keyring.verify(b"Bearer " + told.splitlines()[-1].encode())
    assert key is not None and key.level is Scope.ADMIN
    again, told_again = opened(tmp_path, ALL, first=True)
    assert again.on and not told_again and not caplog.text


def test_a_key_is_enough(tmp_path: Path) -> None:
    assert opened(tmp_path, "10.0.0.1", "correct-horse-battery-staple-and-more")[0].on
    Keyring(tmp_path).create("ann", [Scope.PREDICT])
    assert opened(tmp_path, "10.0.0.1", insecure=True)[0].on


@pytest.mark.parametrize("weak", ["", "x", "   ", "changeme"])
def test_a_weak_one_is_not(tmp_path: Path, weak: str) -> None:
    for host in ("127.0.0.1", "10.0.0.1"):
        with pytest.raises(InvalidKey):
            opened(tmp_path, host, weak, insecure=True)
