"""Encodings, line ends, gzip and zip."""

from collections.abc import Callable, Mapping

from tests.workflow.corpus.case import Case, Expected, category, datetime, number
from tests.workflow.corpus.packed import gzipped, zipped

CITIES = "city,n\nMünchen,1.5\nGenève,2.5\nMálaga,3.5\n"
COLUMNS = [category("city", ["München", "Genève", "Málaga"]), number("n", [1.5, 2.5, 3.5])]
PLAIN = b"x,c\n1.5,a\n2.5,b\n"
PLAIN_COLUMNS = [number("x", [1.5, 2.5]), category("c", ["a", "b"])]


def in_gzip(content: bytes) -> Callable[[], bytes]:
    return lambda: gzipped(content)


def in_zip(files: Mapping[str, bytes]) -> Callable[[], bytes]:
    return lambda: zipped(files)


def tabs(encoding: str) -> Case:
    """Excel's "Unicode text", with a byte order mark."""
    content = CITIES.replace(",", "\t").replace("\n", "\r\n")
    return Case(
        f"tabs-in-{encoding}",
        ("\ufeff" + content).encode(encoding),
        COLUMNS,
        reading={"separator": "\t", "encoding": "utf-16"},
    )


EURO: list[Expected] = [
    category("Straße", ["Königsallee; links", "Café “Zur Post”", "Plaça"]),
    number("Größe", [1.5, 1234.25, -3]),
    category("Währung", ["€", "€", "£"]),
]

CASES = [
    Case("utf-8", CITIES.encode(), COLUMNS, reading={"encoding": "utf-8"}, quiet=True),
    Case("utf-8-with-bom", b"\xef\xbb\xbf" + CITIES.encode(), COLUMNS, reading={"encoding": "utf-8"}),
    Case(
        "utf-8-with-bom-and-quoted-name",
        b'\xef\xbb\xbf"city","n"\n"Oslo","1"\n',
        [category("city", ["Oslo"]), number("n", [1])],
    ),
    Case(
        "utf-8-scripts",
        "城市,n\n東京,1\nМосква,2\n😀,3\n".encode(),
        [category("城市", ["東京", "Москва", "😀"]), number("n", [1, 2, 3])],
    ),
    Case(
        "windows-1252", CITIES.encode("cp1252"), COLUMNS, reading={"encoding": "windows-1252"}, notes=["windows-1252"]
    ),
    Case(
        "windows-1252-semicolon-decimal-comma-quotes-crlf",
        'Straße;Größe;Währung\r\n"Königsallee; links";1,5;€\r\n"Café “Zur Post”";1.234,25;€\r\nPlaça;-3;£\r\n'.encode(
            "cp1252"
        ),
        EURO,
        reading={"encoding": "windows-1252", "separator": ";", "decimal": ","},
    ),
    Case(
        "latin-1",
        "name,n\nÅse,1\nJosé,2\nZoë,3\n".encode("latin-1"),
        [category("name", ["Åse", "José", "Zoë"]), number("n", [1, 2, 3])],
    ),
    Case(
        "latin-1-far-down",
        b"name,n\n" + b"Anna,1\n" * 30_000 + "Zoë,2\n".encode("latin-1"),
        [category("name", ["Anna"] * 30_000 + ["Zoë"]), number("n")],
    ),
    tabs("utf-16-le"),
    tabs("utf-16-be"),
    Case("utf-16-commas", CITIES.encode("utf-16"), COLUMNS, reading={"separator": ","}),
    Case("lone-cr", b"x,c\r1.5,a\r2.5,b\r", PLAIN_COLUMNS),
    Case("lone-cr-and-crlf-at-the-end", b"x,c\r1.5,a\r2.5,b\r\n", PLAIN_COLUMNS),
    Case("lone-cr-without-the-last", b"x,c\r1.5,a\r2.5,b", PLAIN_COLUMNS),
    Case(
        "lone-cr-and-quotes",
        b'x;c\r1,5;"a; b"\r2,5;"c"\r',
        [number("x", [1.5, 2.5]), category("c", ["a; b", "c"])],
        reading={"separator": ";", "decimal": ","},
    ),
    Case("crlf", b"x,c\r\n1.5,a\r\n2.5,b\r\n", PLAIN_COLUMNS, quiet=True),
    Case("crlf-and-lf", b"x,c\r\n1.5,a\n2.5,b\r\n", PLAIN_COLUMNS),
    Case("gzip", in_gzip(PLAIN), PLAIN_COLUMNS, media_type="application/gzip"),
    Case("gzip-sent-as-csv", in_gzip(PLAIN), PLAIN_COLUMNS),
    Case(
        "gzip-of-latin-1-with-lone-cr-and-semicolons",
        in_gzip(CITIES.replace("\n", "\r").replace(",", ";").replace(".", ",").encode("latin-1")),
        COLUMNS,
        reading={"separator": ";", "decimal": ","},
        media_type="application/gzip",
    ),
    Case(
        "gzip-of-utf-16-tabs",
        in_gzip(CITIES.replace(",", "\t").encode("utf-16")),
        COLUMNS,
        media_type="application/gzip",
        reading={"separator": "\t"},
    ),
    Case(
        "gzip-of-json-lines",
        in_gzip(b'{"x": 1.5, "c": "a"}\n{"x": 2.5, "c": "b"}\n'),
        PLAIN_COLUMNS,
        media_type="application/gzip",
    ),
    Case("zip", in_zip({"table.csv": PLAIN}), PLAIN_COLUMNS, media_type="application/zip"),
    Case(
        "zip-of-windows-1252",
        in_zip({"städte.csv": CITIES.encode("cp1252")}),
        COLUMNS,
        media_type="application/zip",
        reading={"encoding": "windows-1252"},
    ),
    Case(
        "zip-in-a-folder-from-a-mac",
        in_zip(
            {
                "data/": b"",
                "data/table.csv": PLAIN,
                "__MACOSX/data/._table.csv": b"\0\5\x16\7",
                "data/.DS_Store": b"\0\0\0\1Bud1",
            }
        ),
        PLAIN_COLUMNS,
        media_type="application/zip",
    ),
    Case(
        "zip-of-tabs",
        in_zip({"table.tsv": PLAIN.replace(b",", b"\t")}),
        PLAIN_COLUMNS,
        media_type="application/zip",
        reading={"separator": "\t"},
    ),
    Case(
        "zip-with-two-tables",
        in_zip({"a.csv": PLAIN, "b.csv": PLAIN}),
        media_type="application/zip",
        error=r"(?i)one table|two|2 files|a\.csv",
    ),
    Case("empty-zip", in_zip({}), media_type="application/zip", error="(?i)zip"),
    Case(
        "gzip-cut-short", lambda: gzipped(CITIES.encode() * 100)[:-20], media_type="application/gzip", error="(?i)gzip"
    ),
    Case("plain-text", PLAIN, PLAIN_COLUMNS, media_type="text/plain"),
    Case("application-csv", PLAIN, PLAIN_COLUMNS, media_type="application/csv"),
    Case("octet-stream", PLAIN, PLAIN_COLUMNS, media_type="application/octet-stream"),
    Case("octet-stream-of-gzip", in_gzip(PLAIN), PLAIN_COLUMNS, media_type="application/octet-stream"),
    Case("octet-stream-of-zip", in_zip({"table.csv": PLAIN}), PLAIN_COLUMNS, media_type="application/octet-stream"),
    Case(
        "a-picture",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\x02\0\0\0\x90wS\xde",
        error="(?i)text|table|encoding|csv",
    ),
    Case(
        "encoding-option-utf-8-for-latin-1",
        b"city,n\nOslo,1\nM\xfcnchen,2\n",
        options={"encoding": "utf-8"},
        error="line 3",
    ),
    Case(
        "encoding-option-cyrillic",
        "город;дата\nМосква;13.01.2020\nОмск;14.01.2020\n".encode("cp1251"),
        [category("город", ["Москва", "Омск"]), datetime("дата", ["2020-01-13T00:00:00", "2020-01-14T00:00:00"])],
        options={"encoding": "windows-1251"},
        reading={"encoding": "windows-1251", "separator": ";"},
    ),
    Case(
        "encoding-option-latin-9",
        "price,n\n12 €,1\n13 €,2\n".encode("iso-8859-15"),
        [number("price", [12, 13]), number("n")],
        options={"encoding": "iso-8859-15"},
    ),
    Case(
        "encoding-option-japanese",
        "名前,n\n東京,1\n大阪,2\n".encode("shift_jis"),
        [category("名前", ["東京", "大阪"]), number("n", [1, 2])],
        options={"encoding": "shift_jis"},
    ),
    Case(
        "utf-16-tabs-with-sep-line-and-decimal-commas",
        "sep=\t\r\nStadt\tn\r\nKöln\t1,5\r\nBonn\t2,5\r\n".encode("utf-16"),
        [category("Stadt", ["Köln", "Bonn"]), number("n", [1.5, 2.5])],
        reading={"separator": "\t", "decimal": ","},
    ),
    Case(
        "utf-8-with-bom-and-sep-line",
        b"\xef\xbb\xbfsep=;\r\nx;y\r\n1,5;2\r\n2,5;3\r\n",
        [number("x", [1.5, 2.5]), number("y", [2, 3])],
        reading={"separator": ";", "decimal": ","},
    ),
    Case("cr-within-quotes", b'c,n\n"a\rb",1\nc,2\n', [category("c", ["a\rb", "c"]), number("n", [1, 2])]),
    Case("sent-as-excel-by-windows", PLAIN, PLAIN_COLUMNS, media_type="application/vnd.ms-excel"),
    Case(
        "utf-8-with-one-line-of-another-encoding",
        "city,n\nMünchen,1\nKöln,2\n".encode() + "Málaga,3\n".encode("latin-1") + "Genève,4\n".encode(),
        error="line 4",
    ),
    Case("a-code-page-of-dos", "city,n\nMünchen,1\nKöln,2\n".encode("cp437"), error="encoding"),
    Case(
        "zip-of-a-file-without-a-name",
        lambda: zipped({"table.csv": PLAIN}).replace(b"table.csv", b"\0able.csv"),
        media_type="application/zip",
        error="(?i)zip",
    ),
    Case(
        "zip-with-its-beginning-cut-off",
        lambda: b"PK\3\4" + zipped({"table.csv": PLAIN})[40:],
        media_type="application/zip",
        error="(?i)zip",
    ),
    Case("a-page-in-html", b"\n<!DOCTYPE html>\n<html><body>x,y</body></html>\n", error="HTML"),
    Case("a-document-in-pdf", b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", error="PDF"),
    Case(
        "a-document-in-xml",
        b"<?xml version='1.0'?>\n<a>\n<b/>\n</a>\n",
        media_type="application/octet-stream",
        error="XML",
    ),
    Case(
        "one-object-around-the-rows", b'{"data": [{"a": 1}]}', media_type="application/json", error="'data' holds lists"
    ),
]
