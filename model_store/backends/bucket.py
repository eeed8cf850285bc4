"""The URL of a bucket with a prefix, such as `s3://models/production`."""

import re
from urllib.parse import SplitResult

from model_store.errors import InvalidStoreUrl

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,220}[A-Za-z0-9]")
_PREFIX = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9!_.*'()=+@-]{1,255}){0,20}")


def check_bucket(url: SplitResult) -> None:
    """Raises InvalidStoreUrl, with the rule and not with the URL, unless it names a bucket and a prefix."""
    if not _BUCKET.fullmatch(url.netloc) or url.query or url.fragment or not _PREFIX.fullmatch(url.path.rstrip("/")):
        raise InvalidStoreUrl(
            f"the URL of an object store is {url.scheme}://BUCKET or {url.scheme}://BUCKET/PREFIX, with letters, digits and "
            "!_.*'()=+@- in the prefix; its credentials and its endpoint are variables of the environment"
        )
