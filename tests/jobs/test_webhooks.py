import base64
import hashlib
import hmac
import json
import logging
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from service.jobs.job import Job
from service.jobs.outbox import Delivery, Outbox
from service.jobs.signing import Signer
from service.jobs.webhook_allowlist import WebhookAllowlist
from service.jobs.webhooks import SCHEDULE, Webhooks
from tests.harness.until import until
from tests.jobs.ended_jobs import delivery, end_job
from tests.jobs.receiver import Call, Receiver

Start = Callable[..., Webhooks]
KEY = b"0123456789abcdef01234567"
SECRET = SecretStr("whsec_" + base64.b64encode(KEY).decode())
LOCAL = WebhookAllowlist.parse("127.0.0.1, 127.0.0.2, localhost, 169.254.169.254")
DELIVER = """
import sys, time
from pydantic import SecretStr
from service.jobs.database import open_database
from service.jobs.webhook_allowlist import WebhookAllowlist
from service.jobs.outbox import Delivery, Outbox
from service.jobs.signing import Signer
from service.jobs.webhooks import Webhooks
outbox = Outbox(open_database(sys.argv[1]))
Webhooks(outbox, Signer(SecretStr(sys.argv[2])), WebhookAllowlist.parse("127.0.0.1"), vars, lease=1.0, timeout=600).start()
time.sleep(60)
"""


def show(job: Job) -> dict[str, Any]:
    return {"id": job.id, "status": job.status}


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def start(engine: Engine) -> Iterator[Start]:
    """Starts delivering with short delays; stopped at the end."""
    with ExitStack() as stack:

        def start(**about: Any) -> Webhooks:
            outbox = about.pop("outbox", None) or Outbox(engine)
            options: dict[str, Any] = {"schedule": (0.05, 0.05), "timeout": 60.0, "lease": 300.0} | about
            webhooks = Webhooks(outbox, Signer(SECRET), LOCAL, show, **options)
            webhooks.start()
            stack.callback(webhooks.stop)
            return webhooks

        yield start


def verify(call: Call) -> None:
    """Verify the signature of a received request as the specification says."""
    signed = f"{call.headers['webhook-id']}.{call.headers['webhook-timestamp']}.".encode() + call.body
    wanted = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert call.headers["webhook-signature"] == f"v1,{wanted}"
    assert abs(int(call.headers["webhook-timestamp"]) - time.time()) < 60


def test_a_delivery_is_sent_once_and_signed(engine: Engine, start: Start) -> None:
    with Receiver(204) as receiver:
        job = end_job(engine, f"{receiver.url}trained?token=a%20b", now())
        start()
        until(lambda: delivery(engine, job)["outcome"] is not None)
        time.sleep(0.3)
    (call,) = receiver.calls
    verify(call)
    assert call.path == "/trained?token=a%20b"
    assert call.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert call.headers["content-type"] == "application/json"
    assert call.headers["webhook-id"] == job.id
    event_ = {"type": "training_job.cancelled", "timestamp": job.finished_at, "data": show(job)}
    assert json.loads(call.body) == event_
    settled = {"tries": 1, "next_at": None, "outcome": "204", "end": 1}
    assert delivery(engine, job).items() >= settled.items()


class ObservedOutbox(Outbox):
    """Sets an event when it is read, and raises while `fails`."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.looked, self.fails = threading.Event(), False

    def claim(self, **about: Any) -> Delivery | None:
        if self.fails:
            raise ZeroDivisionError
        found = super().claim(**about)
        self.looked.set()
        return found


def test_a_notification_is_handled_at_once(engine: Engine, start: Start) -> None:
    outbox = ObservedOutbox(engine)
    webhooks = start(outbox=outbox, poll=3600.0)
    assert outbox.looked.wait(120)
    with Receiver(200) as receiver:
        end_job(engine, receiver.url, now())
        webhooks.wake()
        until(lambda: bool(receiver.calls))


def test_a_delivery_is_retried_until_it_succeeds(engine: Engine, start: Start) -> None:
    with Receiver(500, 404, 200) as receiver:
        job = end_job(engine, receiver.url, now())
        start()
        until(lambda: delivery(engine, job)["next_at"] is None)
    assert len(receiver.calls) == 3
    assert {call.headers["webhook-id"] for call in receiver.calls} == {job.id}
    for call in receiver.calls:
        verify(call)
    assert delivery(engine, job)["outcome"] == "200"


def test_a_delivery_succeeds_when_the_receiver_starts_listening(engine: Engine, start: Start) -> None:
    with socket.socket() as deaf:  # the port is bound, but not listening
        deaf.bind(("127.0.0.1", 0))
        port = deaf.getsockname()[1]
        job = end_job(engine, f"http://127.0.0.1:{port}/", now())
        start(schedule=(0.2,) * 1000)
        until(lambda: delivery(engine, job)["outcome"] is not None)
    assert delivery(engine, job)["outcome"] == "ConnectionRefusedError"
    with Receiver(200, port=port) as receiver:
        until(lambda: delivery(engine, job)["outcome"] == "200")
    assert len(receiver.calls) == 1


@pytest.mark.parametrize(("status", "calls"), [(500, 3), (307, 3), (410, 1)])
def test_an_abandoned_delivery_keeps_its_outcome(engine: Engine, start: Start, status: int, calls: int) -> None:
    with Receiver(status) as receiver:
        job = end_job(engine, receiver.url, now())
        start()
        until(lambda: delivery(engine, job)["next_at"] is None)
        time.sleep(0.3)
    assert [call.path for call in receiver.calls] == ["/"] * calls  # and at no other address
    assert delivery(engine, job)["outcome"] == str(status)


def test_an_answer_that_never_ends_is_a_timeout(engine: Engine, start: Start) -> None:
    with Receiver(200, delay=60) as receiver:
        job = end_job(engine, receiver.url, now())
        start(timeout=1.0, schedule=(0.05,))
        until(lambda: delivery(engine, job)["next_at"] is None)
    assert delivery(engine, job)["tries"] == 2
    assert "Timeout" in delivery(engine, job)["outcome"]


def test_a_slow_receiver_delays_neither_others_nor_the_stop(engine: Engine, start: Start) -> None:
    with Receiver(200, delay=600) as slow, Receiver(200) as quick:
        held = end_job(engine, slow.url, now())
        webhooks = start(timeout=600.0, lease=1200.0)
        until(lambda: bool(slow.calls))
        job = end_job(engine, quick.url, now())
        webhooks.wake()
        until(lambda: delivery(engine, job)["outcome"] == "200")
        began = time.monotonic()
        webhooks.stop()
        assert time.monotonic() - began < 60  # 1 s, not ten minutes
        until(lambda: delivery(engine, held)["outcome"] == "stopped")
    assert delivery(engine, held)["next_at"] < now().isoformat()  # due at once when the service starts again


def test_two_services_deliver_once(engine: Engine, start: Start) -> None:
    with Receiver(200, delay=0.05) as receiver:
        jobs = [end_job(engine, receiver.url, now()) for _ in range(20)]
        for _ in range(3):
            start()
        until(lambda: all(delivery(engine, job)["outcome"] == "200" for job in jobs))
        time.sleep(0.3)
    assert sorted(call.headers["webhook-id"] for call in receiver.calls) == sorted(job.id for job in jobs)


def test_a_delivery_interrupted_by_a_kill_is_sent_again(engine: Engine, start: Start) -> None:
    with Receiver(200, delay=600) as receiver:
        job = end_job(engine, receiver.url, now())
        root, url = Path(__file__).parents[2], engine.url.render_as_string(hide_password=False)
        command = [sys.executable, "-c", DELIVER, url, SECRET.get_secret_value()]
        with subprocess.Popen(command, cwd=root) as killed:  # noqa: S603 - our own
            until(lambda: bool(receiver.calls))
            killed.kill()
        port = receiver.port
    assert delivery(engine, job)["outcome"] is None
    with Receiver(200, port=port) as receiver:
        start()
        until(lambda: delivery(engine, job)["outcome"] == "200")
    assert receiver.calls[0].headers["webhook-id"] == job.id


@pytest.mark.parametrize(
    ("url", "outcome"),
    [
        ("http://169.254.169.254/latest/meta-data", "address refused"),  # although the allowlist has it
        ("http://elsewhere.example/", "host not allowed"),  # no longer
    ],
)
def test_a_refused_address_gets_no_request(engine: Engine, start: Start, url: str, outcome: str) -> None:
    job = end_job(engine, url, now())
    start()
    until(lambda: delivery(engine, job)["next_at"] is None)
    assert delivery(engine, job)["outcome"] == outcome
    assert delivery(engine, job)["tries"] == 1


def test_a_name_that_resolves_to_a_refused_address_is_refused(
    engine: Engine, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 80)) for each in ("127.0.0.1", "169.254.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)
    job = end_job(engine, "http://127.0.0.2/", now())
    start()
    until(lambda: delivery(engine, job)["next_at"] is None)
    assert delivery(engine, job)["outcome"] == "address refused"


def test_a_slow_name_look_up_does_not_delay_the_stop(
    engine: Engine, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, answered = threading.Event(), threading.Event()

    def look_up(*_: object, **__: object) -> list[Any]:
        started.set()
        answered.wait(600)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    job = end_job(engine, "http://127.0.0.1/", now())
    webhooks = start()
    assert started.wait(120)
    began = time.monotonic()
    webhooks.stop()
    assert time.monotonic() - began < 60  # 1 s, not ten minutes
    until(lambda: delivery(engine, job)["outcome"] == "stopped")
    answered.set()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate with openssl")
def test_certificates_are_verified(
    engine: Engine, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out", str(certificate)]
    subprocess.run([*command, "-keyout", str(key)], check=True, capture_output=True)  # noqa: S603 - our own
    with Receiver(200, certificate=certificate, key=key) as receiver:
        url = f"https://localhost:{receiver.port}/"
        unknown = end_job(engine, url, now())
        webhooks = start(schedule=())
        until(lambda: delivery(engine, unknown)["outcome"] == "SSLCertVerificationError")
        webhooks.stop()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        trusted, other = end_job(engine, url, now()), end_job(engine, url.replace("localhost", "127.0.0.1"), now())
        start(schedule=())
        until(lambda: delivery(engine, trusted)["outcome"] == "200")
        until(lambda: delivery(engine, other)["outcome"] == "SSLCertVerificationError")
    assert receiver.calls[0].headers["host"] == f"localhost:{receiver.port}"


def test_proxies_of_the_environment_are_ignored(engine: Engine, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with Receiver(200) as receiver:
        job = end_job(engine, receiver.url, now())
        start()
        until(lambda: delivery(engine, job)["outcome"] == "200")


def test_a_clock_set_back_delays_no_delivery(engine: Engine) -> None:
    job = end_job(engine, "http://127.0.0.1/", now() + timedelta(days=365))
    outbox = Outbox(engine)
    claimed = outbox.claim(lease=30, schedule=SCHEDULE)
    assert claimed is not None
    assert claimed.job.id == job.id
    assert outbox.claim(lease=30, schedule=SCHEDULE) is None  # it is leased
    assert datetime.fromisoformat(delivery(engine, job)["next_at"]) < now() + timedelta(seconds=31)


def test_a_clock_set_back_does_not_prolong_the_delay_of_a_retry(engine: Engine) -> None:
    job = end_job(engine, "http://127.0.0.1/", now())
    outbox = Outbox(engine)
    first = outbox.claim(lease=30, schedule=SCHEDULE)
    assert first is not None
    outbox.settle(first, "500", again=5)
    an_hour_ago = Outbox(engine, clock=lambda: now() - timedelta(hours=1))
    again = an_hour_ago.claim(lease=30, schedule=SCHEDULE)
    assert again is not None
    assert (again.job.id, again.tries) == (job.id, 2)


def test_a_delivery_claimed_by_another_is_not_due(engine: Engine) -> None:
    """A service that read the clock and then waited for the journal finds a lease that ends after the longest possible one."""
    end_job(engine, "http://127.0.0.1/", now() - timedelta(seconds=60))
    waited = Outbox(engine, clock=lambda: now() - timedelta(seconds=10))
    assert Outbox(engine).claim(lease=300, schedule=[300]) is not None
    assert waited.claim(lease=300, schedule=[300]) is None


def test_only_the_holder_of_the_lease_settles(engine: Engine) -> None:
    job = end_job(engine, "http://127.0.0.1/", now())
    early = Outbox(engine).claim(lease=-1, schedule=[60])
    late = Outbox(engine).claim(lease=30, schedule=[60])
    assert early is not None
    assert late is not None
    Outbox(engine).settle(early, "200", again=None)
    assert delivery(engine, job)["outcome"] is None
    Outbox(engine).settle(late, "500", again=5)
    assert delivery(engine, job)["outcome"] == "500"


def test_neither_secret_nor_url_nor_answer_is_logged(
    engine: Engine, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    with Receiver(500) as receiver, caplog.at_level(logging.INFO):
        job = end_job(engine, f"{receiver.url}?token=hidden", now())
        start()
        until(lambda: delivery(engine, job)["next_at"] is None)
        until(lambda: "given up" in caplog.text)
    assert "hidden" not in caplog.text
    assert SECRET.get_secret_value() not in caplog.text
    assert "secret" not in caplog.text


def test_an_unavailable_journal_is_logged_once_and_delivery_resumes(
    engine: Engine, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = ObservedOutbox(engine)
    outbox.fails = True
    webhooks = start(outbox=outbox)
    until(lambda: "cannot read the journal" in caplog.text)
    webhooks.wake()
    time.sleep(0.3)
    assert caplog.text.count("cannot read the journal") == 1
    outbox.fails = False
    with Receiver(200) as receiver:
        job = end_job(engine, receiver.url, now())
        webhooks.wake()
        until(lambda: delivery(engine, job)["outcome"] == "200")


def test_the_schedule_takes_about_a_day() -> None:
    assert timedelta(hours=22) < timedelta(seconds=sum(SCHEDULE)) < timedelta(hours=26)
    assert sorted(SCHEDULE) == list(SCHEDULE)
