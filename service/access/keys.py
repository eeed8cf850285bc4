"""API keys: the holder has 256 random bits; the home keeps their SHA-256 and the scopes."""

import hashlib
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Self

from model_store.clock import from_rfc3339, rfc3339
from model_store.names import check_name
from model_store.sealed import seal_of
from service.access.errors import InvalidKey
from service.access.scopes import WORDS, Scope

PREFIX = "mw_"  # so that people, and scanners of repositories, recognise one
SEAL_KIND = "access/keys"  # the kind of what is sealed, part of the seal
NAMELESS = "damaged-"  # prefix of the name of a key that cannot be read
MOST_DAYS = 36_500
SHORTEST, LONGEST = 32, 128  # characters of a key that the operator has chosen
LEAST_DIFFERENT = 10  # different characters that such a key must have
_VISIBLE = frozenset(string.ascii_letters + string.digits + string.punctuation)


@dataclass(frozen=True)
class ApiKey:
    """What is stored of a key. Times are RFC 3339 in UTC.

    In the file it has a seal: a digest over itself, its kind and its id. Keys of earlier versions have none. A key that does
    not match its seal is damaged: it is listed, but not accepted; `stored` is then its entry in the file, which is kept.
    """

    id: str
    name: str
    scopes: tuple[Scope, ...]
    sha256: str
    created_at: str
    expires_at: str | None = None
    revoked_at: str | None = None
    damaged: bool = False
    stored: Any = field(default=None, repr=False, compare=False)

    @cached_property
    def level(self) -> Scope:
        """The widest of its scopes; it includes the others."""
        return max(self.scopes)

    @cached_property
    def ends(self) -> float:
        """When it expires (Unix time); infinity if never."""
        return float("inf") if self.expires_at is None else from_rfc3339(self.expires_at).timestamp()

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """From an entry of the file.

        Raises:
            ValueError, KeyError, TypeError: it is not valid.
        """
        fields = dict(stored)
        seal = fields.pop("seal", None)
        if seal is not None and seal != seal_of(f"{SEAL_KIND}/{fields['id']}", fields):
            raise ValueError("not what was sealed")
        key = cls(**fields | {"scopes": tuple(WORDS[word] for word in fields["scopes"]), "damaged": False})
        if not key.scopes or len(bytes.fromhex(key.sha256)) != hashlib.sha256().digest_size:
            raise ValueError("not a key")
        key.ends  # noqa: B018 - raises if the time is not valid
        return key

    @classmethod
    def from_damaged(cls, stored: Any, number: int) -> Self:
        """What can be read of a damaged key, entry `number` of the file."""
        fields = stored if isinstance(stored, dict) else {}
        texts = {name: value for name, value in fields.items() if isinstance(value, str)}
        words = fields.get("scopes")
        scopes = [WORDS[each] for each in words if each in set(WORDS)] if isinstance(words, list) else []
        return cls(
            id=texts.get("id") or f"{NAMELESS}{number}",
            name=texts.get("name") or f"{NAMELESS}{number}",
            scopes=tuple(scopes) or (Scope.PREDICT,),
            sha256="0" * 64,
            created_at=texts.get("created_at") or "",
            revoked_at=texts.get("revoked_at"),
            damaged=True,
            stored=stored,
        )

    def to_json(self) -> Any:
        """As an entry of the file."""
        if self.damaged:
            return self.stored
        fields = {**self.public(), "sha256": self.sha256}
        del fields["damaged"]
        return {**fields, "seal": seal_of(f"{SEAL_KIND}/{self.id}", fields)}

    def public(self) -> dict[str, Any]:
        """What clients are shown of it."""
        return {
            "id": self.id,
            "name": self.name,
            "scopes": [scope.word for scope in self.scopes],
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "revoked_at": self.revoked_at,
            "damaged": self.damaged,
        }


def digest(secret: bytes) -> bytes:
    """The SHA-256 of a key. It has 256 random bits, so a slow hash against guessing is not needed."""
    return hashlib.sha256(secret).digest()


def create_key(name: str, scopes: Sequence[Scope], now: datetime, days: float | None = None) -> tuple[ApiKey, str]:
    """A new key: what is stored of it, and the key itself, which is stored nowhere.

    Raises:
        InvalidName: the name is not valid.
        InvalidKey: it has no scope, or would never be valid.
    """
    check_name(name)
    if not scopes:
        raise InvalidKey(f"a key needs one scope at least of {', '.join(WORDS)}")
    if days is not None and not 0 < days <= MOST_DAYS:
        raise InvalidKey(f"a key expires after more than 0 and at most {MOST_DAYS} days")
    secret = PREFIX + secrets.token_urlsafe(32)
    ends = None if days is None else rfc3339(now + timedelta(days=days))
    made = ApiKey(secrets.token_hex(6), name, tuple(sorted(set(scopes))), _hex(secret), rfc3339(now), ends)
    return made, secret


def configured_key(secret: str, now: datetime) -> ApiKey:
    """The key of the settings, with the scope `admin`.

    Raises:
        InvalidKey: it is easy to guess, or cannot be sent in a header.
    """
    long = SHORTEST <= len(secret) <= LONGEST
    if not (long and set(secret) <= _VISIBLE and len(set(secret)) >= LEAST_DIFFERENT):
        raise InvalidKey(
            f"The key in MODELWRIGHT_ADMIN_KEY is not one: it takes {SHORTEST} to {LONGEST} visible ASCII characters without "
            f"spaces, {LEAST_DIFFERENT} different ones at least; `openssl rand -hex 32` makes a good one."
        )
    return ApiKey("configured", "configured", (Scope.ADMIN,), _hex(secret), rfc3339(now))


def _hex(secret: str) -> str:
    return digest(secret.encode()).hex()
