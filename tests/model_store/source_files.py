"""Local files to publish."""

import uuid
from pathlib import Path


def source_files(folder: Path, contents: dict[str, bytes]) -> dict[str, Path]:
    files = {}
    for name, content in contents.items():
        files[name] = folder / uuid.uuid4().hex
        files[name].write_bytes(content)
    return files
