"""Push and pull with a service on the other side that lies, changes its mind or breaks off: nothing wrong is imported."""

import base64
import hashlib
import io
import threading
import zipfile
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from modelwright import ApiError, Client, ModelwrightError, TransferFailed, UnexpectedAnswer, Unreachable, UnusableKey
from modelwright.tries import IN_A_ROW, IN_ALL, LONGEST_SECONDS, Tries
from tests.api.conftest import train
from tests.client.conftest import Request, Service
from tests.harness.server import Server

KEY = "mw_a-key-that-nobody-else-may-see"
Answer = Callable[[Request, bytes], None]


@pytest.fixture(scope="module")
def honest(server: Server) -> tuple[dict[str, Any], bytes]:
    """The manifest and the bundle of a version."""
    with server.http_client() as http:
        train(http, "honest", training={"epochs": 0})
        path = "/v1/models/honest/versions/1"
        return http.get(path).json(), http.get(f"{path}/bundle").content


def pull(
    server: Server, service: Service, manifest: Any, bundle: bytes, answer: Answer, *more: Answer
) -> dict[str, Any]:
    """Pulls from a service that answers requests for the bundle in this order, and with the last one ever after."""
    answers, asked = [answer, *more], 0

    def dispatch(request: Request) -> None:
        nonlocal asked
        if not request.path.endswith("/bundle"):
            request.answer_json(200, manifest)
            return
        asked += 1
        answers[min(asked, len(answers)) - 1](request, bundle)

    service.answers = [dispatch]
    transport = httpx.HTTPTransport
    with (
        Client(server.url, transport=transport()) as here,
        Client(service.url, api_key=KEY, transport=transport()) as there,
    ):
        pulled: dict[str, Any] = here.pull(there, "honest", 1, as_name="taken-in", alias="blue")
    return pulled


def send(request: Request, status: int, body: bytes, **headers: object) -> None:
    """An answer with these headers, which end the connection."""
    request.send_response(status)
    for name, value in {"Content_Length": len(body), "Connection": "close", **headers}.items():
        if value is not None:
            request.send_header(name.replace("_", "-"), str(value))
    request.end_headers()
    request.wfile.write(body)


def whole(change: Callable[[bytes], bytes] = lambda bundle: bundle, **headers: object) -> Answer:
    return lambda request, bundle: send(request, 200, change(bundle), **headers)


def cut(request: Request, bundle: bytes) -> None:
    send(request, 200, bundle[:1000], Content_Length=len(bundle), ETag='"one"')


def part(request: Request, bundle: bytes) -> None:
    assert (request.headers["Range"], request.headers["If-Range"]) == ("bytes=1000-", '"one"')
    about = {"Content_Range": f"bytes 1000-{len(bundle) - 1}/{len(bundle)}", "ETag": '"one"'}
    send(request, 206, bundle[1000:], **about)


def other_part(**changed: object) -> Answer:
    def answer(request: Request, bundle: bytes) -> None:
        about = {"Content_Range": f"bytes 1000-{len(bundle) - 1}/{len(bundle)}", "ETag": '"one"', **changed}
        send(request, 206, bundle[1000:], **about)

    return answer


def endless(request: Request, bundle: bytes) -> None:
    send(request, 200, b"", Content_Length=None, Transfer_Encoding="chunked")
    try:
        while True:
            request.wfile.write(b"10000\r\n" + bytes(2**16) + b"\r\n")
    except OSError:
        request.close_connection = True


def with_member(bundle: bytes) -> bytes:
    target = io.BytesIO(bundle)
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr(zipfile.ZipInfo("files/more"), b"more")
    return target.getvalue()


def flipped(at: bytes) -> Callable[[bytes], bytes]:
    def flip(bundle: bytes) -> bytes:
        assert at in bundle
        return bundle.replace(at, at[:-1] + bytes([at[-1] ^ 1]))

    return flip


def digest(data: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


LIES: dict[str, tuple[type[ModelwrightError], tuple[Answer, ...]]] = {
    "no size": (UnexpectedAnswer, (endless,)),
    "a size without end": (UnexpectedAnswer, (whole(Content_Length=10**15),)),
    "a size that is its end": (UnexpectedAnswer, (whole(Content_Length=None),)),
    "compressed": (UnexpectedAnswer, (whole(Content_Encoding="gzip"),)),
    "empty": (TransferFailed, (whole(lambda _: b""),)),
    "no zip file": (TransferFailed, (whole(lambda bundle: b"z" * len(bundle)),)),
    "one byte less": (TransferFailed, (whole(lambda bundle: bundle[:-1]),)),
    "one byte more": (ModelwrightError, (whole(lambda bundle: bundle + b"x"),)),
    "one byte before": (ModelwrightError, (whole(lambda bundle: b"x" + bundle),)),
    "one file more": (ApiError, (whole(with_member),)),
    "another manifest": (TransferFailed, (whole(flipped(b'"epochs')),)),
    "another history": (ApiError, (whole(flipped(b'"epoch"')),)),
    "another digest": (TransferFailed, (whole(Repr_Digest=digest(b"x")),)),
    "a digest that is none": (UnexpectedAnswer, (whole(Repr_Digest="sha-256=:x:"),)),
    "another part": (UnexpectedAnswer, (cut, other_part(Content_Range="bytes 0-1000/5000"))),
    "a part of another size": (UnexpectedAnswer, (cut, other_part(Content_Range="bytes 1000-1009/1010"))),
    "a part without range": (UnexpectedAnswer, (cut, other_part(Content_Range=None))),
    "a part of another ETag": (UnexpectedAnswer, (cut, other_part(ETag='"two"'))),
    "a part of a weak ETag": (UnexpectedAnswer, (cut, other_part(ETag='W/"one"'))),
    "a part that nobody wanted": (UnexpectedAnswer, (other_part(),)),
    "an error": (ApiError, (lambda request, _: send(request, 500, b"<html>"),)),
    "no content": (UnexpectedAnswer, (lambda request, _: send(request, 204, b""),)),
    "range not satisfiable": (ApiError, (cut, lambda request, _: send(request, 416, b""))),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_bundle_that_lies(server: Server, service: Service, honest: tuple[Any, bytes], lie: str) -> None:
    error, answers = LIES[lie]
    with pytest.raises(error) as caught:
        pull(server, service, *honest, *answers)
    assert KEY not in str(caught.value)
    assert server.http.get("/v1/models/taken-in").status_code == 404
    assert all(request.headers["Authorization"] == f"Bearer {KEY}" for request in service.requests)


MANIFESTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a list": lambda manifest: [],
    "empty": lambda manifest: {},
    "no digest": lambda manifest: {**manifest, "digest": None},
    "another digest": lambda manifest: {**manifest, "digest": "0" * 64},
    "no number": lambda manifest: {**manifest, "version": "1"},
    "no files": lambda manifest: {**manifest, "files": None},
    "a file that is none": lambda manifest: {**manifest, "files": {"a": 1}},
    "a negative size": lambda manifest: {**manifest, "files": {"a": {"bytes": -1}}},
    "a size that is no number": lambda manifest: {**manifest, "files": {"a": {"bytes": "1"}}},
}


@pytest.mark.parametrize("lie", MANIFESTS)
def test_a_manifest_that_lies(server: Server, service: Service, honest: tuple[Any, bytes], lie: str) -> None:
    manifest, bundle = honest
    with pytest.raises((UnexpectedAnswer, TransferFailed)):
        pull(server, service, MANIFESTS[lie](manifest), bundle, whole())
    assert server.http.get("/v1/models/taken-in").status_code == 404


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("resumed", (cut, part)),
        ("in-parts", (cut, lambda request, bundle: send(request, 206, bundle[1000:2000], ETag='"one"',
                      Content_Range=f"bytes 1000-1999/{len(bundle)}", Content_Length=len(bundle) - 1000),
                      lambda request, bundle: send(request, 206, bundle[2000:], ETag='"one"',
                      Content_Range=f"bytes 2000-{len(bundle) - 1}/{len(bundle)}"))),
        ("changed", (cut, whole(ETag='"two"'))),
        ("without-ranges", (lambda request, bundle: send(request, 200, bundle[:1000], Content_Length=len(bundle)), whole())),
        ("busy", (lambda request, _: send(request, 503, b"", Retry_After="0"), whole())),
    ],
)  # fmt: skip
def test_what_passes(
    server: Server, service: Service, honest: tuple[Any, bytes], name: str, answers: tuple[Answer, ...]
) -> None:
    pulled = pull(server, service, *honest, *answers)
    assert (pulled["digest"], pulled["new"]) == (honest[0]["digest"], True)
    server.client.delete_model("taken-in")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(server: Server, service: Service, status: int) -> None:
    with elsewhere() as other:
        for target in (other.url, service.url):  # another host, and a loop
            service.answers = [lambda request: send(request, status, b"", Location=f"{target}{request.path}")]  # noqa: B023
            asked = len(service.requests)
            with Client(server.url) as here, Client(service.url, api_key=KEY) as there:
                with pytest.raises(UnexpectedAnswer, match="redirects to another address") as caught:
                    here.pull(there, "honest")
                assert KEY not in str(caught.value)
                with pytest.raises(UnexpectedAnswer, match="redirects to another address"):
                    there.create_upload(1)
            assert len(service.requests) == asked + 2
        assert other.requests == []


class elsewhere:  # noqa: N801 - a context manager
    """Another service."""

    def __enter__(self) -> Service:
        self.service = Service()
        self.service.answers = [lambda request: request.answer_json(200, {})]
        self.thread = threading.Thread(target=self.service.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        return self.service

    def __exit__(self, *_: object) -> None:
        self.service.shutdown()
        self.thread.join()
        self.service.server_close()


def push(server: Server, service: Service, lies: dict[tuple[str, str], Answer]) -> dict[str, Any]:
    """Pushes to a service that answers as it should, but for the lies, by method and the end of the path."""

    def dispatch(request: Request) -> None:
        end = request.path.partition("?")[0].rpartition("/")[2]
        if (lie := lies.get((request.command, end))) is not None:
            lie(request, request.body)
        elif request.command == "GET":
            request.answer_json(404, {"code": "model_not_found"})
        elif request.command == "PATCH":
            send(request, 204, b"", Upload_Offset=len(request.body))
        else:
            request.answer_json(201, {"id": "u1", "version": 1, "digest": "0" * 64})

    service.answers = [dispatch]
    with Client(server.url) as here, Client(service.url, api_key=KEY) as there:
        pushed: dict[str, Any] = here.push(there, "honest", 1, alias="blue")
    return pushed


def gives(body: Any) -> Answer:
    return lambda request, _: request.answer_json(200, body)


def offset(number: object) -> Answer:
    return lambda request, _: send(request, 204, b"", Upload_Offset=number)


@pytest.mark.parametrize(
    ("lies", "error"),
    [
        ({("POST", "uploads"): gives({})}, UnexpectedAnswer),
        ({("POST", "uploads"): gives({"id": ".."})}, ModelwrightError),
        ({("PATCH", "u1"): offset(10**12)}, UnexpectedAnswer),
        ({("PATCH", "u1"): offset(-1)}, UnexpectedAnswer),
        ({("PATCH", "u1"): offset("9" * 5000)}, UnexpectedAnswer),
        ({("PATCH", "u1"): offset(None)}, UnexpectedAnswer),
        ({("PATCH", "u1"): lambda request, _: send(request, 507, b"")}, ApiError),
        ({("GET", "versions"): gives({"data": [1]})}, UnexpectedAnswer),
        ({("GET", "versions"): gives({"data": [{"version": 7}], "has_more": True})}, UnexpectedAnswer),
        ({("GET", "blue"): gives({"entry": "1"})}, UnexpectedAnswer),
        ({("POST", "versions"): gives({"version": 1, "digest": "1" * 64})}, TransferFailed),
        ({("POST", "versions"): lambda request, _: send(request, 422, b"")}, ApiError),
    ],
)
def test_a_push_to_a_service_that_lies(
    server: Server, service: Service, honest: Any, lies: dict[tuple[str, str], Answer], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        push(server, service, lies)
    assert KEY not in str(caught.value)
    assert not [request for request in service.requests if request.command == "PUT"]  # the alias


def test_keys_and_passwords_are_in_no_message(server: Server) -> None:
    for key in (f"{KEY}\n", f"{KEY} ", f"{KEY}\u00e4"):
        with pytest.raises(UnusableKey) as unusable:
            Client(server.url, api_key=key)
        assert KEY not in str(unusable.value)
    with Client("http://ann:secret@127.0.0.1:1", api_key=KEY) as client, pytest.raises(Unreachable) as caught:
        client.model("line")
    assert "secret" not in str(caught.value) and KEY not in str(caught.value)


def test_an_address_that_is_none() -> None:
    with pytest.raises(Unreachable, match="not valid"):
        Client("http://[::")


def test_tries_are_bounded() -> None:
    tries, error = Tries(), Unreachable()
    pauses = [tries.failed(error).seconds for _ in range(IN_A_ROW)]
    assert pauses == sorted(pauses) and pauses[-1] <= LONGEST_SECONDS
    with pytest.raises(Unreachable):
        tries.failed(error)
    tries = Tries()
    for _ in range(IN_ALL):
        tries.progressed()
        tries.failed(error)
    with pytest.raises(Unreachable):
        tries.failed(error)
    assert Tries().failed(ApiError(503, "", "", retry_after=7)).seconds == 7
    assert Tries().failed(ApiError(503, "", "", retry_after=10**9)).seconds <= 60
    for status in (400, 401, 403, 404, 409, 413, 422, 500, 507):
        with pytest.raises(ApiError):
            Tries().failed(ApiError(status, "", ""))


def test_an_endless_answer_is_not_read_to_its_end(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelwright.drivers.MOST_ANSWER_BYTES", 2**20)
    service.answers = [lambda request: endless(request, b"")]
    with Client(service.url) as client, pytest.raises(UnexpectedAnswer, match="more than 1048576 bytes"):
        client.model("line")
