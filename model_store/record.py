"""The record of a version: the one small object whose creation publishes it."""

import json
import re
from dataclasses import asdict, dataclass, replace

from model_store.clock import from_rfc3339

_CONTENT = re.compile(r"[0-9a-f]{32}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Record:
    """Where a version's content lies and its digest; with `deleted_at` it is a tombstone that keeps the number.

    `key` is the publication's key for exactly-once publishing. A tombstone keeps the content's id, so that a deletion
    can be taken back for as long as the content is there.
    """

    digest: str
    content: str
    key: str | None
    created_at: str
    deleted_at: str | None = None

    @property
    def live(self) -> bool:
        """Whether the version exists."""
        return self.deleted_at is None

    def buried(self, deleted_at: str) -> "Record":
        """The tombstone that takes this record's place."""
        return replace(self, key=None, deleted_at=deleted_at)

    def encode(self) -> bytes:
        """The record as it is stored."""
        fields = {key: value for key, value in asdict(self).items() if key != "deleted_at" or value is not None}
        return json.dumps(fields, sort_keys=True).encode()

    @classmethod
    def decode(cls, data: bytes) -> "Record":
        """The stored record. Raises ValueError when `data` is none."""
        try:
            record = cls(**json.loads(data))
            sound = _CONTENT.fullmatch(record.content) and _DIGEST.fullmatch(record.digest)
            from_rfc3339(record.created_at)
            if record.deleted_at is not None:
                from_rfc3339(record.deleted_at)
        except TypeError as error:
            raise ValueError("not a record") from error
        if not sound or not isinstance(record.key, str | None):
            raise ValueError("not a record")
        return record
