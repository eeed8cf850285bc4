"""A key has 256 random bits and only its digest is stored; a configured key must be as strong."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from model_store.errors import InvalidName
from service.access.errors import InvalidKey
from service.access.keys import PREFIX, ApiKey, configured_key, create_key, digest
from service.access.scopes import Scope

NOW = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)


def test_only_the_digest_of_a_key_is_stored() -> None:
    key, secret = create_key("ann", [Scope.TRAIN, Scope.PREDICT, Scope.TRAIN], NOW, days=2)
    assert secret.startswith(PREFIX) and len(secret) == len(PREFIX) + 43
    assert key.sha256 == digest(secret.encode()).hex()
    kept = json.dumps(key.to_json())
    assert secret not in kept and secret.removeprefix(PREFIX) not in kept
    assert "sha256" not in key.public()
    assert ApiKey.from_json(json.loads(kept)) == key
    assert (key.scopes, key.level) == ((Scope.PREDICT, Scope.TRAIN), Scope.TRAIN)
    assert key.ends == (NOW + timedelta(days=2)).timestamp()


def test_keys_are_unique() -> None:
    made = [create_key("ann", [Scope.ADMIN], NOW) for _ in range(100)]
    assert len({secret for _, secret in made}) == len({key.id for key, _ in made}) == 100
    assert made[0][0].ends == float("inf")


def test_keys_without_use_are_refused() -> None:
    with pytest.raises(InvalidName):
        create_key("../ann", [Scope.ADMIN], NOW)
    with pytest.raises(InvalidKey, match="predict, train, admin"):
        create_key("ann", [], NOW)
    for days in (0, -1, 1e9, float("nan"), float("inf")):
        with pytest.raises(InvalidKey, match="expires"):
            create_key("ann", [Scope.ADMIN], NOW, days)


@pytest.mark.parametrize(
    "weak",
    ["", "a", " ", "\t", " " * 40, "changeme", "a" * 40, "ab" * 20, "x" * 31, "0123456789" * 13, f"{'abcdefghij' * 4} ",
     "abcdefghij\n" * 4, "äbcdefghijklmnopqrstuvwxyz0123456789"],
)  # fmt: skip
def test_a_weak_or_unsendable_configured_key_is_refused(weak: str) -> None:
    with pytest.raises(InvalidKey, match="MODELWRIGHT_ADMIN_KEY") as caught:
        configured_key(weak, NOW)
    assert not weak.strip() or weak not in str(caught.value) or weak == "a"


def test_a_configured_key_has_every_scope() -> None:
    secret = "correct-horse-battery-staple-and-more"  # noqa: S105 - of no service
    key = configured_key(secret, NOW)
    assert key.level is Scope.ADMIN and key.sha256 == digest(secret.encode()).hex()


KEPT = create_key("ann", [Scope.PREDICT], NOW)[0].to_json()


@pytest.mark.parametrize(
    "damage",
    [{"scopes": []}, {"scopes": ["root"]}, {"sha256": ""}, {"sha256": "ab"}, {"sha256": "z" * 64}, {"expires_at": "soon"},
     {"more": 1}],
)  # fmt: skip
def test_a_damaged_key_record_is_refused(damage: dict[str, object]) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        ApiKey.from_json(KEPT | damage)
