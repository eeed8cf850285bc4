"""Keys, which cost little: one pair for all tests of a process."""

from pathlib import Path
from typing import NamedTuple

import pytest

from service.signatures.keys import create_key, read_public_key


class Key(NamedTuple):
    """A private key's file, its public key's file, and the public key."""

    private: Path
    public: Path
    pem: str


def new_key(folder: Path, name: str = "key") -> Key:
    private = folder / f"{name}.pem"
    public = create_key(private)
    return Key(private, public, read_public_key(public))


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    return new_key(tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> Key:
    return new_key(tmp_path_factory.mktemp("other"))
