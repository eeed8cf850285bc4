"""Opens the backend of a bucket: reads its URL, and checks that the bucket can hold a store."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import SplitResult

from obstore.store import AzureStore, GCSStore, S3Store

from model_store.backends.bucket import check_bucket
from model_store.backends.object_errors import ERRORS, misconfigured
from model_store.backends.objects import TEMPORARY, ObjectBackend
from model_store.errors import ObjectExists, StoreError, Unsuitable
from model_store.file_cache import FileCache

STORES: dict[str, Callable[..., S3Store | GCSStore | AzureStore]] = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}
PROBES = 4  # writes of one object at the same time
# What is small is answered at once or not at all; a piece of a file may take its time on a slow line. `read_timeout` begins anew
# with each piece of the answer.
_SMALL = {"connect_timeout": "2s", "read_timeout": "3s", "timeout": "20s"}
_LARGE = {"connect_timeout": "2s", "timeout": "60s"}
_NOT_REPEATED = {"max_retries": 0, "retry_timeout": timedelta(0)}  # `ObjectRequests` repeats them
_REPEATED = {
    "max_retries": 4,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=1), "base": 2},
}


def open_objects(url: SplitResult, cache: FileCache | None) -> ObjectBackend:
    """The backend of a bucket, as the variables `AWS_…`, `GOOGLE_…` or `AZURE_…` configure it; they are read now.

    Raises:
        InvalidStoreUrl: as `check_bucket` does.
        Unavailable: it cannot be used, does not exist, or refuses access; or the variables are not valid.
        Unsuitable: it does not honour put-if-absent.
    """
    check_bucket(url)
    prefix = url.path.strip("/")
    small, large = _store(url, prefix, _SMALL, _NOT_REPEATED), _store(url, prefix, _LARGE, _REPEATED)
    backend = ObjectBackend(f"{url.scheme}://{url.netloc}/{prefix}", small, large, cache)
    check_put_if_absent(backend)
    return backend


def check_put_if_absent(backend: ObjectBackend) -> None:
    """Creates an object several times, at once and once more, then lists, reads and deletes it.

    Raises:
        Unavailable: one of that is not possible.
        Unsuitable: more than one succeeded, as with stores that ignore the condition of a write.
    """
    key = f"{TEMPORARY}/{uuid.uuid4().hex}"

    def create(number: int) -> int:
        try:
            backend.create(key, f"probe {number}".encode())
        except ObjectExists:
            return 0
        return 1

    backend.names(TEMPORARY)  # first: it tells a bucket that does not exist from one that refuses
    try:
        with ThreadPoolExecutor(PROBES) as threads:
            created = sum(threads.map(create, range(PROBES)))
        created += create(PROBES)
        listed, data = backend.names(TEMPORARY), backend.read(key)
    except BaseException:
        with suppress(StoreError):
            backend.delete(key)
        raise
    backend.delete(key)
    if created != 1:
        raise Unsuitable(
            "The object store does not honour put-if-absent (If-None-Match: *): it created one object "
            f"{created} times. A store there would lose versions. Use a bucket, or a release of its software, that does."
        )
    if key.removeprefix(f"{TEMPORARY}/") not in listed or not data.startswith(b"probe"):
        raise Unsuitable("The object store does not list, or does not return, an object that was just created.")


def _store(url: SplitResult, prefix: str, timeouts: dict[str, Any], retries: dict[str, Any]) -> Any:
    # As settings like those of the environment: `client_options` would replace those, such as AWS_ALLOW_HTTP.
    try:
        return STORES[url.scheme](url.netloc, prefix=prefix or None, retry_config=retries, **timeouts)
    except ERRORS as error:
        reason = misconfigured(error)
    raise reason
