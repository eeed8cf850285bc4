"""Parts of a bundle over HTTP: Range, If-Range, If-None-Match and HEAD."""

import base64
import hashlib
from typing import Any

import httpx
import pytest

from tests.api.test_edge import problem

BUNDLE = "/v1/models/line/versions/1/bundle"


@pytest.fixture(scope="module")
def whole(http: httpx.Client, line: dict[str, Any]) -> httpx.Response:
    return http.get(BUNDLE)


def test_a_bundle_has_its_digest_as_etag(http: httpx.Client, whole: httpx.Response) -> None:
    digest = hashlib.sha256(whole.content)
    assert whole.headers["ETag"] == f'"{digest.hexdigest()}"'
    assert whole.headers["Repr-Digest"] == f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert int(whole.headers["Content-Length"]) == len(whole.content)
    head = http.head(BUNDLE, headers={"Range": "bytes=0-9"})  # which HEAD ignores
    assert (head.status_code, head.content) == (200, b"")
    for name in ("ETag", "Repr-Digest", "Accept-Ranges", "Content-Length", "Content-Type", "Content-Disposition"):
        assert head.headers[name] == whole.headers[name]


@pytest.mark.parametrize(
    "given",
    [
        "0-0",
        "0-",
        "100-199",
        "1-99999999999999999999999",
        "-1",
        "-100",
        "-99999999999999999999",
        "0-" + "9" * 5000,
    ],
)
def test_a_part(http: httpx.Client, whole: httpx.Response, given: str) -> None:
    size, (first, _, last) = len(whole.content), given.replace(" ", "").partition("-")
    start = int(first) if first else max(0, size - int(last))
    stop = size if not first or not last else size if len(last) > 10 else int(last) + 1
    answer = http.get(BUNDLE, headers={"Range": f"bytes={given}", "If-Range": whole.headers["ETag"]})
    assert answer.status_code == 206
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{size}"
    assert answer.headers["ETag"] == whole.headers["ETag"]
    assert answer.content == whole.content[start:stop]


@pytest.mark.parametrize(
    "headers",
    [
        {"Range": "bytes=0-1,4-5"},
        {"Range": "bytes=5-4"},
        {"Range": "bytes=-"},
        {"Range": "bytes=a-b"},
        {"Range": "bytes=1"},
        {"Range": "bytes=-1-5"},
        {"Range": "rows=0-1"},
        {"Range": "bytes=0-1", "If-Range": '"another"'},
        {"Range": "bytes=0-1", "If-Range": "Sat, 28 Nov 2026 00:00:00 GMT"},
        {"Range": "bytes=0-1", "If-Range": "W/{etag}"},
        {"Range": "bytes=99999999-", "If-Range": '"another"'},
    ],
)
def test_a_range_that_is_ignored(http: httpx.Client, whole: httpx.Response, headers: dict[str, str]) -> None:
    etag = whole.headers["ETag"]
    answer = http.get(BUNDLE, headers={name: value.replace("{etag}", etag) for name, value in headers.items()})
    assert (answer.status_code, answer.content) == (200, whole.content)


@pytest.mark.parametrize("given", ["{size}-", "99999999999999999999999-", "-0"])
def test_a_range_after_the_end(http: httpx.Client, whole: httpx.Response, given: str) -> None:
    size = len(whole.content)
    answer = http.get(BUNDLE, headers={"Range": f"bytes={given.replace('{size}', str(size))}"})
    assert problem(answer) == (416, "range_not_satisfiable")
    assert answer.headers["Content-Range"] == f"bytes */{size}"


@pytest.mark.parametrize("known", ["{etag}", "W/{etag}", '"a", {etag}', "*"])
def test_a_known_bundle_is_not_sent_again(http: httpx.Client, whole: httpx.Response, known: str) -> None:
    headers = {"If-None-Match": known.replace("{etag}", whole.headers["ETag"]), "Range": "bytes=0-1"}
    answer = http.get(BUNDLE, headers=headers)
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", whole.headers["ETag"])
    assert http.get(BUNDLE, headers={"If-None-Match": '"another"'}).content == whole.content


def test_no_copy_of_a_bundle_is_written(server: Any, http: httpx.Client, whole: httpx.Response) -> None:
    with http.stream("GET", BUNDLE) as answer:
        assert not [path for path in server.temporary_files() if path.suffix == ".zip"]
        answer.read()
