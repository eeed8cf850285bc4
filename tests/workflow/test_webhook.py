import pytest

from service.workflow.errors import InvalidSpec
from service.workflow.spec import EXAMPLE, parse


@pytest.mark.parametrize(
    ("url", "understood"),
    [
        ("https://hooks.example.com/trained", "https://hooks.example.com/trained"),
        ("HTTPS://Hooks.Example.COM:443/a?b=c&d=%20", "https://hooks.example.com/a?b=c&d=%20"),
        ("http://bücher.example:8080/ü", "http://xn--bcher-kva.example:8080/%C3%BC"),
        ("http://allowed。example", "http://allowed.example/"),
        ("http://0x7f000001/", "http://127.0.0.1/"),
        ("http://[0:0::1]:8000/", "http://[::1]:8000/"),
        ("http://a/?mail=me@here", "http://a/?mail=me@here"),
    ],
)
def test_a_url_is_stored_in_its_parsed_form(url: str, understood: str) -> None:
    spec = parse(EXAMPLE | {"webhook": {"url": url}})
    assert spec.to_json()["webhook"] == {"url": understood}
    assert parse(spec.to_json()) == spec


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com/trained",
        "/trained",
        "//hooks.example.com/",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "http:hooks.example.com",
        "http:///hooks.example.com",
        "http://",
        "http://?",
        "http://allowed@evil/",
        "http://@evil/",
        "http://user:password@allowed/",
        "http://allowed\\@evil/",
        "http://evil\\.allowed/",
        "http://allowed/#fragment",
        "http://allowed/#",
        "http://allowed\t/",
        "http://allo\nwed/",
        " http://allowed/",
        "http://allowed/a b",
        "http://allowed/\x00",
        "http://allowed/\r\nHost: evil",
        "http://allowed\u200b/",
        "http://allowed\u00a0/",
        "http://allowed%2f.evil/",
        "http://allowed:port/",
        "http://allowed:65536/",
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
        "http://256.1.1.1/",
        "http://allowed/" + "x" * 2048,
        "http://allowed/" + "ü" * 1000,
        None,
        7,
        ["http://allowed/"],
    ],
)
def test_an_invalid_url_is_refused_with_its_pointer(url: object) -> None:
    with pytest.raises(InvalidSpec) as caught:
        parse(EXAMPLE | {"webhook": {"url": url}})
    assert [fault.pointer for fault in caught.value.faults] == ["/webhook/url"]
