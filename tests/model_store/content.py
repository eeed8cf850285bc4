from model_store import Version
from model_store.collection import Collection


def content(collection: Collection, version: Version, file: str) -> bytes:
    """The content of a file of a version."""
    with collection.local_file(version, file) as path:
        return path.read_bytes()
