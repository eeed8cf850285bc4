import pytest
from pydantic import SecretStr

from service.jobs.errors import WebhooksMisconfigured
from service.jobs.signing import Signer
from service.jobs.webhook_allowlist import NO_WEBHOOKS, WebhookAllowlist, refused


def test_a_host_is_allowed_with_any_port_or_a_given_one() -> None:
    hosts = WebhookAllowlist.parse("Hooks.Example.com , ci.example.com:8443, bücher.example, [::1], 10.0.0.1:80,")
    assert str(hosts) == "hooks.example.com, ci.example.com:8443, xn--bcher-kva.example, [::1], 10.0.0.1:80"
    for url in (
        "https://hooks.example.com/",
        "http://HOOKS.example.com:8080/",
        "https://ci.example.com:8443/x",
        "https://xn--bcher-kva.example/",
        "http://[0:0::1]:9/",
        "http://10.0.0.1/",
    ):
        assert hosts.allow(url), url
    for url in (
        "https://example.com/",
        "https://a.hooks.example.com/",
        "https://hooks.example.com.evil.example/",
        "https://hooks.example.com./",
        "https://ci.example.com/",
        "https://10.0.0.1/",
        "http://[::2]/",
    ):
        assert not hosts.allow(url), url
    assert not NO_WEBHOOKS.allow("http://localhost/")
    assert WebhookAllowlist.parse(" , ") == NO_WEBHOOKS


@pytest.mark.parametrize(
    "entry", ["http://a", "a/b", "a b", "*", "*.a", "user@a", "a:b", "a:99999", "::1", "a\\b", "a#", ":1"]
)
def test_an_invalid_host_is_refused_at_the_start(entry: str) -> None:
    with pytest.raises(WebhooksMisconfigured, match="MODELWRIGHT_WEBHOOK_HOSTS"):
        WebhookAllowlist.parse(f"good.example,{entry}")


@pytest.mark.parametrize(
    ("address", "is_refused"),
    [
        ("169.254.169.254", True),
        ("::ffff:169.254.169.254", True),
        ("64:ff9b::a9fe:a9fe", True),
        ("fe80::1", True),
        ("fe80::1%1", True),
        ("febf::1", True),
        ("fd00:ec2::254", True),
        ("100.100.100.200", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("::1", False),
        ("fd00::1", False),
        ("2001:db8::1", False),
    ],
)
def test_link_local_addresses_are_refused(address: str, is_refused: bool) -> None:
    assert refused(address) is is_refused


def test_the_signature_matches_the_vector_of_the_specification() -> None:
    # The test vector of the specification's own libraries (its key has exactly 24 bytes).
    signer = Signer(SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    assert signer.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}') == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_secret_without_prefix_is_used_as_the_key() -> None:
    plain, coded = Signer(SecretStr("0" * 24)), Signer(SecretStr("whsec_MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw"))
    assert plain.headers("a", 1, b"{}") == coded.headers("a", 1, b"{}")


@pytest.mark.parametrize(
    "secret", [None, "", "short-and-known", "whsec_c2hvcnQ=", "whsec_no base64 at all, but long enough"]
)
def test_an_invalid_secret_is_refused_and_not_shown(secret: str | None) -> None:
    with pytest.raises(WebhooksMisconfigured, match="MODELWRIGHT_WEBHOOK_SECRET") as caught:
        Signer(None if secret is None else SecretStr(secret))
    assert secret in (None, "") or secret not in str(caught.value)
