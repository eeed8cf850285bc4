"""A bucket whose server answers wrongly, slowly or not at all."""

import itertools
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from obstore.exceptions import GenericError

from model_store import Store
from model_store.backends import object_requests
from model_store.backends.backend import Backend
from model_store.backends.object_requests import ObjectRequests
from model_store.backends.objects import PIECE
from model_store.backends.schemes import open_backend
from model_store.errors import ObjectExists, ObjectNotFound, StoreError, Unavailable, Unsuitable, VersionCorrupt
from tests.harness.faulty_proxy import Exchange, Fault, FaultyProxy, Lost
from tests.harness.object_servers import SECRET, MiniStack


@pytest.fixture
def proxy(ministack: MiniStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    with FaultyProxy(ministack.address) as started:
        for name, value in ministack.variables(started.address).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(object_requests, "PATIENCE", 0.5)
        yield started


@pytest.fixture
def url(ministack: MiniStack) -> str:
    return f"s3://{ministack.bucket()}/models"


@pytest.fixture
def backend(url: str, proxy: FaultyProxy) -> Backend:
    return open_backend(url)


FAILED = GenericError("Server returned non-2xx status code: 500")


def once(fault: Fault) -> Fault:
    """The fault for the first request; the others are forwarded."""
    first = itertools.chain([fault], itertools.repeat(Exchange.forward))
    return lambda exchange: next(first)(exchange)


def lose(exchange: Exchange) -> None:
    exchange.forward()
    raise Lost


def error(exchange: Exchange) -> None:
    exchange.answer(500, SECRET.encode())


def changed(body: Callable[[bytes], bytes], *, claimed: bool = False) -> Fault:
    """The store's answer to a GET of an object with another body, of which the length of the old one may be claimed."""

    def fault(exchange: Exchange) -> None:
        exchange.forward()
        if exchange.command == "GET" and "list-type" not in exchange.path and exchange.status in (200, 206):
            before = exchange.body
            exchange.body = body(before)
            exchange.claimed = len(before) if claimed else None

    return fault


@pytest.mark.parametrize("fault", [error, lose, changed(lambda body: body[:-1], claimed=True)])
def test_a_request_that_failed_is_repeated(backend: Backend, proxy: FaultyProxy, fault: Fault) -> None:
    proxy.fault = once(fault)
    backend.create("a/b", b"one")
    proxy.fault = once(fault)
    assert backend.read("a/b") == b"one"
    proxy.fault = once(fault)
    with pytest.raises(ObjectExists):
        backend.create("a/b", b"two")
    for call in (lambda: backend.names("a"), lambda: backend.replace("a/b", b"three"), lambda: backend.delete("a")):
        proxy.fault = once(fault)
        call()
    with pytest.raises(ObjectNotFound):
        backend.read("a/b")


def test_a_file_of_many_parts_is_stored_and_fetched_although_each_request_fails_once(
    backend: Backend, proxy: FaultyProxy, tmp_path: Path
) -> None:
    content = bytes(range(256)) * (2 * PIECE // 256) + b"the end"
    source = tmp_path / "source"
    source.write_bytes(content)
    number, lock = itertools.count(1), threading.Lock()

    def fault(exchange: Exchange) -> None:
        with lock:
            fails = next(number) % 3 == 1
        error(exchange) if fails else exchange.forward()

    proxy.fault = fault
    backend.create_file("a/large", source)
    assert not source.exists()
    with backend.local_file("a/large") as path:
        assert path.read_bytes() == content
    assert backend.read_range("a/large", 2 * PIECE, 2**40) == b"the end"
    source.write_bytes(content)
    with pytest.raises(ObjectExists):
        backend.create_file("a/large", source)
    assert source.exists()


def test_the_record_of_a_version_whose_answer_was_lost_is_its_own(url: str, proxy: FaultyProxy, tmp_path: Path) -> None:
    store = Store.open(url)

    def fault(exchange: Exchange) -> None:
        if exchange.command == "PUT" and exchange.path not in lost:
            lost.add(exchange.path)
            lose(exchange)
        exchange.forward()

    lost, proxy.fault = set[str](), fault
    for number in (1, 2):
        (tmp_path / "weights").write_bytes(b"weights")
        assert store.models.publish("line", {}, {"weights": tmp_path / "weights"}).number == number
    assert store.models.numbers("line") == [1, 2]
    assert store.verify() == []


FAILURES = [
    (error, "status 500"),
    (lambda exchange: exchange.answer(403, b"<Code>AccessDenied</Code>"), r"refuses to \w+( \(AccessDenied\))?:"),
    (lambda exchange: exchange.answer(400, b"<Code>ExpiredToken</Code>"), r"status 400( \(ExpiredToken\))?\."),
    (lambda exchange: exchange.answer(404, b"<Code>NoSuchBucket</Code>"), "bucket of the store does not exist"),
    (lose, "broke off"),
]


@pytest.mark.parametrize(("fault", "reason"), FAILURES)
def test_a_failure_is_unavailable_and_tells_no_secret(
    backend: Backend, proxy: FaultyProxy, tmp_path: Path, fault: Fault, reason: str
) -> None:
    (tmp_path / "source").write_bytes(b"content")
    proxy.fault = fault
    calls: list[Callable[[], object]] = [
        lambda: backend.read("a"),
        lambda: backend.read_range("a", 0, 1),
        lambda: backend.create("a", b""),
        lambda: backend.create_file("a", tmp_path / "source"),
        lambda: backend.names("a"),
        lambda: backend.delete("a"),
    ]
    for call in calls:
        with pytest.raises(Unavailable, match=reason) as caught:
            call()
        told = "".join(traceback.format_exception(caught.value))
        assert SECRET not in told and "127.0.0.1" not in told
    proxy.fault = Exchange.forward
    (tmp_path / "source").unlink()


def test_a_missing_bucket_does_not_read_as_an_empty_one(backend: Backend, proxy: FaultyProxy) -> None:
    def fault(exchange: Exchange) -> None:
        exchange.answer(404, b"" if exchange.command == "HEAD" else b"<Code>NoSuchBucket</Code>")

    proxy.fault = fault
    with pytest.raises(Unavailable, match="does not exist"):
        backend.local_file("a").__enter__()


def test_a_file_that_came_damaged_is_fetched_once_more_and_then_corrupt(
    url: str, proxy: FaultyProxy, tmp_path: Path
) -> None:
    store = Store.open(url)
    (tmp_path / "weights").write_bytes(b"weights")
    version = store.models.publish("line", {}, {"weights": tmp_path / "weights"})
    damaged = [0]

    def fault(exchange: Exchange) -> None:
        exchange.forward()
        if exchange.command == "GET" and exchange.path.endswith("weights") and damaged[0]:
            damaged[0] -= 1
            exchange.body = b"wEights"

    proxy.fault = fault
    damaged[0] = 2
    with pytest.raises(VersionCorrupt, match="SHA-256"), store.models.local_file(version, "weights"):
        pass
    damaged[0] = 1
    with pytest.raises(VersionCorrupt), store.models.local_file(version, "weights"):
        pass  # the copy is damaged, and so is the fresh one
    with store.models.local_file(version, "weights") as path:
        assert path.read_bytes() == b"weights"


def test_a_bucket_that_ignores_the_condition_of_a_write_is_refused(url: str, proxy: FaultyProxy) -> None:
    proxy.fault = lambda exchange: exchange.forward(without="If-None-Match")
    with pytest.raises(Unsuitable, match="put-if-absent"):
        Store.open(url)
    proxy.fault = Exchange.forward
    store = Store.open(url)
    assert store.models.names() == []
    assert open_backend(url).names("tmp") == []  # what was created for the check is gone


def test_a_bucket_that_is_not_there_or_cannot_be_written_is_refused(
    url: str, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Unavailable, match="bucket of the store does not exist"):
        Store.open("s3://not-there")

    def read_only(exchange: Exchange) -> None:
        exchange.answer(403, b"<Code>AccessDenied</Code>") if exchange.command == "PUT" else exchange.forward()

    proxy.fault = read_only
    with pytest.raises(Unavailable, match="refuses to write"):
        Store.open(url)
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    with pytest.raises(Unavailable, match="plain HTTP is not allowed"):
        Store.open(url)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "hidden")
    with pytest.raises(Unavailable, match=r"variables .*MissingAccount"):
        Store.open("az://bucket")


class Clock:
    """Time that passes by sleeping only."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_after_a_failure_requests_are_refused_at_once_until_the_store_works_again() -> None:
    clock, sent, works = Clock(), [0], False
    requests = ObjectRequests(clock, clock.sleep)

    def request() -> str:
        sent[0] += 1
        if not works:
            raise FAILED
        return "content"

    def run() -> str | StoreError:
        try:
            return requests.run("read", request)
        except StoreError as error:
            return error

    assert isinstance(run(), Unavailable)
    assert sent[0] > 3 and clock.now <= object_requests.PATIENCE
    before = sent[0]
    for _ in range(100):
        assert isinstance(run(), Unavailable)
    assert sent[0] == before  # none was sent
    for tries in range(1, 4):
        clock.now += object_requests.REST
        assert isinstance(run(), Unavailable)
        assert sent[0] == before + tries  # one was sent, once
    works = True
    assert isinstance(run(), Unavailable)
    clock.now += object_requests.REST
    assert run() == run() == "content"


def test_while_one_request_tries_a_store_that_failed_others_are_refused() -> None:
    clock = Clock()
    requests = ObjectRequests(clock, clock.sleep)

    def fail() -> None:
        raise FAILED

    with pytest.raises(Unavailable):
        requests.run("read", fail)
    clock.now += object_requests.REST

    def try_another() -> str:
        with pytest.raises(Unavailable):
            requests.run("read", lambda: pytest.fail("it was sent"))
        return "content"

    assert requests.run("read", try_another) == "content"
    assert requests.run("read", lambda: "more") == "more"
