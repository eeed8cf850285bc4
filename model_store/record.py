"""The record of a version: the one small object whose creation publishes it."""

import re
from dataclasses import asdict, dataclass

from model_store.clock import from_rfc3339
from model_store.content_id import is_content
from model_store.sealed import seal, unseal

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Record:
    """Where a version's content lies and its digest. `key` is the publication's key for exactly-once publishing.

    Earlier Modelwrights turned the record itself into a tombstone, with `deleted_at`.
    """

    digest: str
    content: str
    key: str | None
    created_at: str
    deleted_at: str | None = None

    def encode(self, place: str) -> bytes:
        """The record as it is stored at the key `place`."""
        return seal(
            place, {key: value for key, value in asdict(self).items() if key != "deleted_at" or value is not None}
        )

    @classmethod
    def decode(cls, place: str, data: bytes) -> "Record":
        """The record stored at the key `place`. Raises ValueError when `data` is none of there; MadeByNewer."""
        fields, _ = unseal(place, data)
        try:
            record = cls(**fields)
            sound = is_content(record.content) and _DIGEST.fullmatch(record.digest)
            from_rfc3339(record.created_at)
            if record.deleted_at is not None:
                from_rfc3339(record.deleted_at)
        except TypeError as error:
            raise ValueError("not a record") from error
        if not sound or not isinstance(record.key, str | None):
            raise ValueError("not a record")
        return record
