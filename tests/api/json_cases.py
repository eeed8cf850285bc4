"""Valid JSON, invalid JSON, and JSON on which parsers differ: our own cases for every class of error, and the 318 of
JSONTestSuite if its folder is next to the repository."""

from pathlib import Path

SUITE = Path(__file__).parents[3] / "shared" / "corpora" / "json"  # not part of this repository

# What every parser must refuse. `%` is replaced to put each alone, in a list and in an object.
_NO_VALUES = (
    *(
        "NaN",
        "-NaN",
        "nan",
        "Infinity",
        "-Infinity",
        "+Inf",
        "Inf",
        "True",
        "None",
        "nul",
        "tru",
        "fals",
        "undefined",
        "a",
        "é",
    ),
    *("+1", "++1", "--1", "- 1", "-", "-a", "01", "-01", "00", "1_000", "0x1", "0x", "0b1", "1a", "1-", "1+2", "１"),
    *(
        "1.",
        "-1.",
        ".1",
        "-.1",
        "1.e1",
        "1..2",
        "1.2.3",
        "1e",
        "1e+",
        "1eE2",
        "0E-",
        "1e1.5",
        "1 000",
        "1,5e",
        "1e400",
        "-1e400",
    ),
    *(
        "'a'",
        '"a',
        'a"',
        '"',
        '"\\"',
        '"\\',
        '"\\x41"',
        '"\\a"',
        '"\\u"',
        '"\\u12"',
        '"\\u12G4"',
        '"\\U0041"',
        '"\\\u0000"',
    ),
    *('"\\ud800"', '"\\udc00"', '"\\ud800\\ud800"', '"\\udc00\\ud800"', '"\\ud800a"', '"\\ud83d\\x"', '"\\ud800\\u"'),
    *('"a\nb"', '"a\tb"', '"\x00"', '"\x1f"', '"a"b', '"a" "b"', "\\u0022a\\u0022", "\\n"),
    *(
        "[",
        "]",
        "[1",
        "1]",
        "[1,",
        "[,1]",
        "[1,]",
        "[,]",
        "[1,,2]",
        "[1 2]",
        "[1;2]",
        "[1:2]",
        "[[1]",
        "[1]]",
        "[1}",
        "[1]x",
        "[\x0b]",
    ),
    *(
        "{",
        "}",
        '{"a"',
        '{"a"}',
        '{"a":',
        '{"a":}',
        '{"a":1',
        '{"a":1,',
        '{"a":1,}',
        '{,"a":1}',
        '{"a":1,,"b":2}',
        '{"a"::1}',
    ),
    *(
        '{"a" 1}',
        '{"a",1}',
        '{"a"=1}',
        "{a:1}",
        "{'a':1}",
        "{1:1}",
        "{null:1}",
        '{"a":1]',
        '{"a":1}}',
        '{"a":1}x',
        '{"a":"b":"c"}',
    ),
    *("1//", "1/**/", "/**/1", "[1]#", "<1>", "*", "1;", "\u20601", "\u00a01", "1\ufeff", "1\x00", "\x0c1", "\\"),
    *('{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '[{"b":{"a":1,"a":[]}}]'),
)
_NO_BYTES = (
    *(
        b"\xff",
        b'"\xff"',
        b'"\xc0\x80"',
        b'"\xe0\x80\x80"',
        b'"\xed\xa0\x80"',
        b'"\xf4\x90\x80\x80"',
        b'"\xf8\x88\x80\x80\x80"',
    ),
    *(b'"\xe2\x82"', b'"\x80"', b'"\\u\xff"', b'"\\\xff"', b"1\xff", b"-\xff", b"1e1\xff", b"0\xff", b'{"a":"\xff"}'),
)
_NO_DOCUMENTS = (
    *(
        b"",
        b" ",
        b"\n",
        b"\xef\xbb\xbf",
        b"{}\xef\xbb\xbf",
        b"\xef\xbb",
        b"{}{}",
        b"[][]",
        b"1 2",
        b"1\n2",
        b"true false",
    ),
    *(b"[" * 250_000, b"[" * 250_000 + b"]" * 250_000, b'{"a":' * 100_000, b"[" * 101 + b"]" * 101, b'[{"":' * 60),
    *(b"1" * 5000, b"-" + b"9" * 5000, b"[" + b"9" * 5000 + b"]", b'{"a":' + b"1" * 5000 + b"}"),
    *('{"a":1}'.encode(coding) for coding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32")),
)
_VALUES = (
    *(
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1",
        "-1",
        "123",
        "0.5",
        "-0.5",
        "1e5",
        "1E-5",
        "1e+05",
        "-1.5e-10",
        "1e308",
        "0e1",
    ),
    *(
        '""',
        '"a"',
        '"\\""',
        '"\\\\"',
        '"\\/\\b\\f\\n\\r\\t"',
        '"\\u0000"',
        '"\\u00e9é"',
        '"\\ud83d\\ude00"',
        '"😀"',
        '"\u2028\u2029"',
    ),
    *(
        '"\x7f"',
        '"\\uffff"',
        '"\\udbff\\udfff"',
        '"a/*b*/c//d"',
        '"[{:,}]"',
        '"\\\\u0041"',
        "[]",
        "[[]]",
        '[1, null, "a"]',
        "{}",
    ),
    *(
        '{"": 0}',
        '{"a": {"a": {"a": 1}}}',
        '{"a\\u0000b": 1}',
        '{"a": 1, "A": 2}',
        '[{"a": 1}, {"a": 1}]',
        " [1] ",
        "\r\n\t{}\n",
    ),
)
_WITH_MARK = b"\xef\xbb\xbf{}"
_DECIDED_BY_EACH = (b"[1e-400]", b"[123123e100000]", b"[1234567890123456789012345]", b"[" * 100 + b"]" * 100, b"[-0.0]")


def none() -> dict[str, bytes]:
    """What is not JSON for this service, duplicate names within an object included."""
    found = {f"own: {text!r}"[:40] + f" {at}": text for at, text in enumerate(_in_all(_NO_VALUES, _NO_BYTES))}
    found |= {f"own document {at}": text for at, text in enumerate(_NO_DOCUMENTS)}
    return found | _suite("n_", "y_object_duplicated_key")


def some() -> dict[str, bytes]:
    """Valid JSON, which must not be refused as invalid JSON."""
    found = {f"own: {text!r}"[:40] + f" {at}": text for at, text in enumerate(_in_all(_VALUES, ()))}
    found["own document with a byte order mark"] = _WITH_MARK
    return found | {name: text for name, text in _suite("y_").items() if "duplicated_key" not in name}


def open_questions() -> dict[str, bytes]:
    """What parsers may accept or refuse."""
    return {f"own: {text!r}"[:40]: text for text in _DECIDED_BY_EACH} | _suite("i_")


def _in_all(texts: tuple[str, ...], more: tuple[bytes, ...]) -> list[bytes]:
    values = [*(text.encode() for text in texts), *more]
    return [around % value for value in values for around in (b"%b", b"[%b]", b'{"instances": %b}')]


def _suite(*beginnings: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(SUITE.glob("*.json")) if path.name.startswith(beginnings)}
