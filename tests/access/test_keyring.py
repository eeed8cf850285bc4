"""The keys of a home, shared by several processes."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.access import keyring as keyrings
from service.access.errors import ApiKeyExists, ApiKeyNotFound, InvalidKey, KeysCorrupt
from service.access.keyring import Keyring
from service.access.scopes import Scope
from tests.harness.until import until

ROOT = Path(__file__).parents[2]
SECRET = "correct-horse-battery-staple-and-more"  # noqa: S105 - of no service


def bearer(secret: str) -> bytes:
    """The Authorization header with a key."""
    return b"Bearer " + secret.encode()


def test_which_keys_are_accepted(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path / "access")
    assert (keyring.on, keyring.verify(None)) == (False, None)
    key, secret = keyring.create("ann", [Scope.PREDICT])
    assert keyring.on and keyring.verify(bearer(secret)) == key
    assert keyring.verify(b"bearer  " + secret.encode()) == key
    good = secret.encode()
    wrong = [None, b"", b"Bearer", b"Bearer ", good, b"Basic " + good, b"Bearer" + good, b"Bearer " + good[:-1]]
    wrong += [b"Bearer " + good + b"A", b"Bearer " + good.swapcase(), b"Bearer " + key.sha256.encode(), b"Bearer \xff"]
    wrong += [b"Bearer " + b"a" * 100_000, b"Bearer " + bytes.fromhex(key.sha256), b"Bearer eyJhbGciOiJub25lIn0.e30."]
    for header in wrong:
        assert keyring.verify(header) is None, header
    assert secret not in (tmp_path / "access" / "keys.json").read_text()
    for path in (tmp_path / "access").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path


def test_another_keyring_on_the_home_sees_changes(tmp_path: Path) -> None:
    one, other = Keyring(tmp_path), Keyring(tmp_path)
    other.start_reloading()
    try:
        _, secret = one.create("ann", [Scope.ADMIN])
        until(lambda: other.verify(bearer(secret)) is not None)
        one.revoke("ann")
        assert one.verify(bearer(secret)) is None
        until(lambda: other.verify(bearer(secret)) is None)
    finally:
        other.close()


def test_a_key_expires(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    _, secret = keyring.create("ann", [Scope.ADMIN], days=2 / 86_400)
    assert keyring.verify(bearer(secret)) is not None
    until(lambda: keyring.verify(bearer(secret)) is None)


def test_access_stays_closed_after_revoking_and_losing_the_file(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    keyring.create("ann", [Scope.ADMIN])
    keyring.revoke("ann")
    assert Keyring(tmp_path).on
    (tmp_path / "keys.json").unlink()
    keyring.reload()
    assert keyring.on


def test_known_keys_are_accepted_while_the_disk_fails(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path / "access")
    _, secret = keyring.create("ann", [Scope.ADMIN])
    (tmp_path / "access" / "keys.json").write_text("{")
    with pytest.raises(KeysCorrupt):
        keyring.reload()
    assert keyring.verify(bearer(secret)) is not None
    with pytest.raises(KeysCorrupt):
        Keyring(tmp_path / "access")


@pytest.mark.parametrize(
    "text", ["", "[]", "null", '{"keys": 1}', '{"keys": [1]}', '{"keys": [{}]}', "\x00", "[" * 99_999]
)
def test_an_invalid_key_file_refuses_every_key(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys.json").write_text(text)
    with pytest.raises(KeysCorrupt):
        Keyring(tmp_path)


def test_names(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    first, _ = keyring.create("ann", [Scope.ADMIN])
    with pytest.raises(ApiKeyExists):
        keyring.create("ann", [Scope.PREDICT])
    assert keyring.revoke(first.id).name == "ann"
    for gone in ("ann", first.id, "nobody"):
        with pytest.raises(ApiKeyNotFound):
            keyring.revoke(gone)
    second, _ = keyring.create("ann", [Scope.PREDICT])
    assert [key.id for key in keyring.all()] == [first.id, second.id]
    assert [key.revoked_at is None for key in keyring.all()] == [False, True]


def test_the_key_of_the_configuration(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path / "access", SECRET)
    assert keyring.on and not (tmp_path / "access").exists()
    _, secret = keyring.create("ann", [Scope.PREDICT])
    for valid in (SECRET, secret):
        assert keyring.verify(bearer(valid)) is not None
    assert [key.name for key in keyring.all()] == ["configured", "ann"]
    assert SECRET not in (tmp_path / "access" / "keys.json").read_text()
    with pytest.raises(ApiKeyNotFound):
        keyring.revoke("configured")
    assert Keyring(tmp_path / "access").verify(bearer(SECRET)) is None


def test_the_number_of_keys_is_limited_and_ended_keys_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyrings, "MOST", 3)
    keyring = Keyring(tmp_path)
    for name in "abc":
        keyring.create(name, [Scope.PREDICT])
    with pytest.raises(InvalidKey, match="revoke one first"):
        keyring.create("d", [Scope.PREDICT])
    keyring.revoke("b")
    keyring.create("d", [Scope.PREDICT])
    assert [key.name for key in keyring.all()] == ["a", "c", "d"]


def test_concurrent_changes_lose_no_key(tmp_path: Path) -> None:
    rings = [Keyring(tmp_path) for _ in range(4)]
    with ThreadPoolExecutor(8) as threads:
        secrets = [each[1] for each in threads.map(lambda n: rings[n % 4].create(f"k{n}", [Scope.PREDICT]), range(40))]
    late = Keyring(tmp_path)
    assert all(late.verify(bearer(secret)) for secret in secrets)


FIRST = """
import sys
from pathlib import Path
from service.access.keyring import Keyring
print(Keyring(Path(sys.argv[1])).create_first())
"""


def test_one_of_several_concurrent_starts_makes_the_first_key(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FIRST, str(tmp_path)]
    started = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)]  # noqa: S603 - our own
    printed = [process.communicate(timeout=120)[0].strip() for process in started]
    (secret,) = [each for each in printed if each != "None"]
    key = Keyring(tmp_path).verify(bearer(secret))
    assert key is not None and key.level is Scope.ADMIN


def test_times_are_those_of_the_given_clock(tmp_path: Path) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    keyring = Keyring(tmp_path, now=lambda: moment)
    key, secret = keyring.create("ann", [Scope.ADMIN], days=1)
    assert key.created_at.startswith("2026-01-01T00:00:00") and key.expires_at is not None
    assert keyring.verify(bearer(secret)) is None  # after that day
    assert json.loads((tmp_path / "keys.json").read_text())["keys"][0]["id"] == key.id


def test_a_damaged_key_is_refused_and_affects_no_other(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    secrets = [keyring.create(name, [Scope.PREDICT])[1] for name in ("ann", "bob", "eve")]
    file = tmp_path / "keys.json"
    whole = file.read_bytes()
    lines = whole.split(b"\n")
    begin = len(lines[0]) + 1 + len(lines[1]) + 1
    for number in range(begin, begin + len(lines[2]) - 1):  # bob's line
        flipped = bytearray(whole)
        flipped[number] ^= 1 << number % 7
        file.write_bytes(flipped)
        found = Keyring(tmp_path)
        assert found.on
        assert [found.verify(bearer(each)) is not None for each in secrets] == [True, False, True], chr(whole[number])
        assert any(key.damaged for key in found.all())
    file.write_bytes(whole.replace(b'["predict"]', b'["admin"]'))
    promoted = Keyring(tmp_path)
    assert not any(promoted.verify(bearer(each)) for each in secrets)


def test_a_damaged_key_stays_damaged_until_it_is_revoked(tmp_path: Path) -> None:
    Keyring(tmp_path).create("ann", [Scope.ADMIN])
    file = tmp_path / "keys.json"
    file.write_bytes(file.read_bytes().replace(b'"admin"', b'"train"'))
    keyring = Keyring(tmp_path)
    assert keyring.on and [key.damaged for key in keyring.all()] == [True]  # authentication stays enabled
    with pytest.raises(ApiKeyExists):
        keyring.create("ann", [Scope.ADMIN])
    keyring.create("bob", [Scope.ADMIN])
    assert [(key.name, key.damaged) for key in Keyring(tmp_path).all()] == [("ann", True), ("bob", False)]
    keyring.revoke("ann")
    again = Keyring(tmp_path)
    assert [(key.name, key.damaged, key.revoked_at is None) for key in again.all()] == [
        ("ann", False, False),
        ("bob", False, True),
    ]
    assert again.create("ann", [Scope.PREDICT])


def test_truncated_keys_are_reported(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    first, second = (keyring.create(name, [Scope.PREDICT])[1] for name in ("ann", "bob"))
    file = tmp_path / "keys.json"
    file.write_bytes(b"\n".join(file.read_bytes().split(b"\n")[:2]) + b"\n")
    cut = Keyring(tmp_path)
    assert cut.verify(bearer(first)) and not cut.verify(bearer(second))
    assert [key.damaged for key in cut.all()] == [False, True]


def test_keys_without_a_seal_get_one(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    _, secret = keyring.create("ann", [Scope.PREDICT])
    file = tmp_path / "keys.json"
    kept = json.loads(file.read_text())
    del kept["keys"][0]["seal"]
    file.write_text(json.dumps(kept, indent=2))
    before = Keyring(tmp_path)
    assert before.verify(bearer(secret))
    before.create("bob", [Scope.PREDICT])
    assert all("seal" in each for each in json.loads(file.read_text())["keys"])
    assert Keyring(tmp_path).verify(bearer(secret))
