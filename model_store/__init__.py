"""Named, numbered, immutable versions of models and data sets, stored with one primitive: put-if-absent."""

from model_store.aliases import Aliases, Entry
from model_store.bundle import Draft, member_digests, read_bundle, write_bundle, write_draft
from model_store.bundle_ranges import Bundles
from model_store.catalogue import Catalogue, Listed
from model_store.collection import Collection
from model_store.damage import Damage
from model_store.store import Store
from model_store.version import Version

__all__ = [
    "Aliases",
    "Bundles",
    "Catalogue",
    "Collection",
    "Damage",
    "Draft",
    "Entry",
    "Listed",
    "Store",
    "Version",
    "member_digests",
    "read_bundle",
    "write_bundle",
    "write_draft",
]
