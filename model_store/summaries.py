"""Summaries of versions: JSON that can be computed again from a version's files, kept beside them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from model_store.backends.backend import Backend
from model_store.errors import MadeByNewer, ObjectNotFound
from model_store.names import check_file_names
from model_store.sealed import seal, unseal
from model_store.version import Version

SUMMARIES = "summaries"

Fields = Mapping[str, Any]
AllFields = Mapping[str, Fields]  # by the name of the summary
NO_SUMMARIES: AllFields = MappingProxyType({})


class Summaries:
    """Summaries under `<prefix>/<name>/contents/<id>/summaries/<summary>`, sealed, and removed together with the content.

    They belong neither to the manifest, and so not to the version's digest, nor to a bundle. One that is missing or damaged
    counts as not there.
    """

    def __init__(self, backend: Backend, prefix: str) -> None:
        self._backend = backend
        self._prefix = prefix

    def find(self, version: Version, summary: str) -> dict[str, Any] | None:
        """The fields of the summary, if it is there. Raises Unavailable."""
        key = self._key(version.name, version.content, summary)
        try:
            fields, sealed = unseal(key, self._backend.read(key))
        except (ObjectNotFound, ValueError, MadeByNewer):
            return None
        return fields if sealed else None

    def keep(self, version: Version, summary: str, fields: Fields) -> None:
        """Write the summary of a version that exists, in place of any before. Raises NoSpace and Unavailable.

        If the version is deleted meanwhile, `sweep` removes what was written.
        """
        key = self._key(version.name, version.content, summary)
        self._backend.replace(key, seal(key, fields))

    def write(self, name: str, content: str, summaries: AllFields) -> None:
        """Write the summaries of a content that no version refers to yet. Raises NoSpace and Unavailable."""
        for summary, fields in summaries.items():
            key = self._key(name, content, summary)
            self._backend.create(key, seal(key, fields))

    def _key(self, name: str, content: str, summary: str) -> str:
        check_file_names([summary])
        return f"{self._prefix}/{name}/contents/{content}/{SUMMARIES}/{summary}"
