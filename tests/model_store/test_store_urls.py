import os
from pathlib import Path

import pytest

from model_store import Store
from model_store.backends.schemes import local_folder
from model_store.errors import InvalidStoreUrl


def test_a_path_and_a_url_open_the_same_store(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"a store\xe9")  # not UTF-8
    Store.open(folder).models.publish("line", {}, {})
    for url in (str(folder), folder.as_uri(), f"file://localhost{folder.as_uri().removeprefix('file://')}"):
        assert Store.open(url).models.names() == ["line"]
        assert local_folder(url) == folder


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://bucket/models", "not one of file, s3, gs, az"),
        ("s3://", "s3://BUCKET"),
        ("s3://bucket:80/models", "s3://BUCKET"),
        ("s3://user:secret@bucket/models", "variables of the environment"),
        ("gs://bucket/models?secret", "gs://BUCKET"),
        ("az://bucket/a//b", "az://BUCKET"),
        ("az://bucket/../b", "az://BUCKET"),
        ("az://bucket/a%2Fb", "az://BUCKET"),
        ("https://user:secret@host/models", "not one of file"),
        ("file:relative", "absolute path"),
        ("file://elsewhere/folder", "absolute path"),
        ("file:///folder?a=b", "absolute path"),
        ("file:///a%00b", "absolute path"),
        ("file://[half", "not a URL"),
    ],
)
def test_unsupported_urls_are_refused_with_the_reason(url: str, reason: str) -> None:
    with pytest.raises(InvalidStoreUrl, match=reason) as refused:
        Store.open(url)
    assert "secret" not in str(refused.value)
