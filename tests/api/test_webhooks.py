"""Webhooks of a real service: which URLs are allowed, what is sent, and that trainers never have the secret."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import LINE, WEBHOOK_SECRET, ended
from tests.harness.server import Server
from tests.harness.until import until
from tests.jobs.receiver import Receiver


def test_the_end_of_a_job_is_posted_to_its_webhook(configured: Server) -> None:
    with Receiver(204) as receiver, configured.http_client() as http:
        url = f"{receiver.url}trained?token=hidden"
        accepted = http.post("/v1/training-jobs", json={**LINE, "model_name": "told", "webhook": {"url": url}})
        assert accepted.status_code == 202, accepted.text
        job = ended(http, accepted.json()["id"])
        assert job["spec"]["webhook"] == {"url": url}
        until(lambda: receiver.answered > 0)
        manifest = http.get("/v1/models/told/versions/1").json()
    (call,) = receiver.calls
    signed = f"{job['id']}.{call.headers['webhook-timestamp']}.".encode() + call.body
    wanted = base64.b64encode(hmac.new(WEBHOOK_SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert call.headers["webhook-signature"] == f"v1,{wanted}"
    about = {"type": "training_job.succeeded", "timestamp": job["finished_at"], "data": job}
    assert json.loads(call.body) == about
    assert "webhook" not in manifest["spec"]
    assert "hidden" not in configured.log()


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "https://hooks.example.com/",
        "https://hooks.example.com.evil.example:8443/",
        "https://hooks.example.com.:8443/",
        "http://localhost/",
        "http://[::1]/",
        "http://127.0.0.1@evil.example/",
        "http://127.0.0.1\\@evil.example/",
    ],
)
def test_a_host_that_is_not_allowed_is_refused_with_those_that_are(configured: Server, url: str) -> None:
    spec = {**LINE, "model_name": "refused", "webhook": {"url": url}}
    with configured.http_client() as http:
        for path in ("/v1/training-jobs", "/v1/training-jobs/validate"):
            refused = http.post(path, json=spec)
            assert (refused.status_code, refused.json()["code"]) == (422, "invalid_spec")
            (fault,) = refused.json()["errors"]
            assert fault["pointer"] == "/webhook/url"
            assert "@" in url or "127.0.0.1, hooks.example.com:8443" in fault["message"]


def test_without_hosts_there_are_no_webhooks(http: httpx.Client) -> None:
    spec = {**LINE, "model_name": "silent", "webhook": {"url": "http://127.0.0.1/"}}
    refused = http.post("/v1/training-jobs", json=spec)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/webhook/url"
    assert "MODELWRIGHT_WEBHOOK_HOSTS" in refused.json()["errors"][0]["message"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_trainers_do_not_inherit_the_secret(configured: Server) -> None:
    pid = configured.process.pid
    children = [each for path in Path(f"/proc/{pid}/task").glob("*/children") for each in path.read_text().split()]
    assert children
    for child in children:
        assert b"WEBHOOK_SECRET" not in Path(f"/proc/{child}/environ").read_bytes()


@pytest.mark.parametrize(("hosts", "secret"), [("127.0.0.1", ""), ("127.0.0.1", "known"), ("not a host", "x" * 24)])
def test_invalid_webhook_settings_are_one_line(tmp_path: Path, hosts: str, secret: str) -> None:
    settings = {"MODELWRIGHT_WEBHOOK_HOSTS": hosts, "MODELWRIGHT_WEBHOOK_SECRET": secret}
    command = [sys.executable, "-m", "service", "serve", "--port", "0", "--home", str(tmp_path / "home")]
    done = subprocess.run(  # noqa: S603 - our own command
        command, env=os.environ | settings, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: MODELWRIGHT_WEBHOOK_")
    assert len(done.stderr.splitlines()) == 1
    assert "known" not in done.stderr
