"""Settings that name origins, proxies and the path behind a proxy: what they accept, and what they say about the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.addresses import OWN_PATHS, parse_networks, parse_origins, parse_root_path
from service.app import ROUTERS
from service.settings import InvalidSettings, Settings


def test_origins_are_as_browsers_send_them() -> None:
    given_ = "https://App.Example.org , http://localhost:3000,https://a:443,http://b:80,https://c:80,http://[::1]:9"
    assert parse_origins(given_) == {
        "https://app.example.org",
        "http://localhost:3000",
        "https://a",
        "http://b",
        "https://c:80",
        "http://[::1]:9",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("*", "pages that nobody has named"),
        ("https://*.example.org", "pages that nobody has named"),
        ("https://app.example.org/", "more than an origin; write https://app.example.org"),
        ("https://app.example.org/page?x", "more than an origin"),
        ("app.example.org", "no origin"),
        ("null", "no origin"),
        ("", "no origin"),
        ("https://a,", "no origin"),
        ("ftp://a", "no origin"),
        ("https://user@a", "no origin"),
        ("https://a:port", "no origin"),
        ("https://a:0", "no origin"),
        ("https://a:99999", "no origin"),
        ("https://bücher.example", "no origin"),
        ("https://a b", "no origin"),
        ("https://[::1", "no origin"),
    ],
)
def test_what_is_no_origin(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_origins(text)


def test_networks() -> None:
    assert [str(each) for each in parse_networks("10.0.0.0/8, 127.0.0.1 ,::1,fd00::/8")] == [
        "10.0.0.0/8", "127.0.0.1/32", "::1/128", "fd00::/8"
    ]  # fmt: skip
    for text in ("*", "proxy.example.org", "", "10.0.0.1,", "10.0.0.300", "10.0.0.0/33", "127.0.0.1:8000"):
        with pytest.raises(ValueError, match="no address and no network, such as"):
            parse_networks(text)
    with pytest.raises(ValueError, match="no bits beyond its prefix"):
        parse_networks("10.0.0.1/8")


@given(st.text())
def test_any_text_is_parsed_or_refused(text: str) -> None:
    for parse in (parse_origins, parse_networks, parse_root_path):
        try:
            parse(text)
        except ValueError as error:
            assert type(error) is ValueError  # one of ours, with what is expected


def test_root_paths() -> None:
    for text in ("/mw", "/ml/mw", "/a.b-c_d~e", "/version1", "/v10"):
        assert parse_root_path(text) == text
    for text in (
        "",
        "/",
        "mw",
        "/mw/",
        "//mw",
        "/a//b",
        "/../mw",
        "/./x",
        "/m w",
        "/m%20w",
        "/é",
        "https://a/mw",
        "/" + "a" * 200,
    ):
        with pytest.raises(ValueError, match="must begin with /"):
            parse_root_path(text)
    for text in ("/v1", "/v1/mw", "/docs", "/web"):
        with pytest.raises(ValueError, match="begins like a path of the service"):
            parse_root_path(text)


def test_a_root_path_can_be_told_from_every_path_of_the_service() -> None:
    paths = {route.path for each in ROUTERS for route in each.router.routes}
    first = {path.split("/")[1].split("{")[0] for path in paths}
    assert first - OWN_PATHS <= {""}


@pytest.mark.parametrize("name", ["allowed_origins", "root_path", "forwarded_allow"])
def test_the_service_does_not_start_with_a_mistake(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"MODELWRIGHT_{name.upper()}", "*/")
    with pytest.raises(InvalidSettings, match=rf"^MODELWRIGHT_{name.upper()}: `\*/` .*such as"):
        Settings.read()
