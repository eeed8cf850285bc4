"""Separators of fields and decimals."""

from tests.workflow.corpus.case import Case, category, number

CASES = [
    Case(
        "plain-comma",
        b"x,y,colour\n1.5,2,red\n2.5,3,blue\n-3.5,4,red\n",
        [number("x", [1.5, 2.5, -3.5]), number("y", [2, 3, 4]), category("colour", ["red", "blue", "red"])],
        reading={"separator": ",", "decimal": ".", "missing": []},
        quiet=True,
    ),
    Case(
        "semicolon",
        b"x1;x2;c;y\n1;2;a;3\n4;5;b;6\n7;8;a;9\n",
        [number("x1", [1, 4, 7]), number("x2", [2, 5, 8]), category("c", ["a", "b", "a"]), number("y", [3, 6, 9])],
        reading={"separator": ";"},
    ),
    Case(
        "tab",
        b"x1\tx2\tc\n1.5\t2\ta\n4.5\t5\tb\n",
        [number("x1", [1.5, 4.5]), number("x2", [2, 5]), category("c", ["a", "b"])],
        reading={"separator": "\t"},
    ),
    Case(
        "tab-under-its-media-type-with-empty-cells",
        b"x1\tx2\tc\n1.5\t\ta\n\t5\tb\n2\t6\t\n",
        [number("x1", [1.5, None, 2]), number("x2", [None, 5, 6]), category("c", ["a", "b", None])],
        media_type="text/tab-separated-values",
        reading={"separator": "\t"},
    ),
    Case(
        "pipe",
        b"x1|x2|c\n1|2.5|a\n4|5.5|b\n",
        [number("x1", [1, 4]), number("x2", [2.5, 5.5]), category("c", ["a", "b"])],
        reading={"separator": "|"},
    ),
    Case(
        "semicolon-with-decimal-commas",
        b"length;weight;colour\n1,5;10;red\n2,25;11;blue\n-0,5;12;red\n",
        [
            number("length", [1.5, 2.25, -0.5]),
            number("weight", [10, 11, 12]),
            category("colour", ["red", "blue", "red"]),
        ],
        reading={"separator": ";", "decimal": ","},
    ),
    Case(
        "semicolon-with-decimal-points",
        b"length;weight\n1.5;10\n2.25;11\n",
        [number("length", [1.5, 2.25]), number("weight", [10, 11])],
        reading={"separator": ";", "decimal": "."},
    ),
    Case(
        "semicolon-with-thousands-and-decimal-commas",
        b"price;people\n1.234,5;1.200\n12,25;3.400\n1.000.000,75;500\n",
        [number("price", [1234.5, 12.25, 1000000.75]), number("people", [1200, 3400, 500])],
        reading={"separator": ";", "decimal": ","},
    ),
    Case(
        "sep-line",
        b"sep=;\nx;y\n1,5;2\n2,5;3\n",
        [number("x", [1.5, 2.5]), number("y", [2, 3])],
        reading={"separator": ";", "decimal": ","},
    ),
    Case(
        "sep-line-of-a-rare-separator",
        b"sep=^\r\nx^c\r\n1.5^a,b\r\n2.5^c;d\r\n",
        [number("x", [1.5, 2.5]), category("c", ["a,b", "c;d"])],
        reading={"separator": "^"},
    ),
    Case(
        "tab-with-decimal-commas",
        b"x\ty\n1,5\t2\n2,5\t3\n",
        [number("x", [1.5, 2.5]), number("y", [2, 3])],
        reading={"separator": "\t", "decimal": ","},
    ),
    Case(
        "comma-with-semicolons-in-texts",
        b"tags,n\na;b;c,1\nd;e,2\nf;g;h,3\n",
        [category("tags", ["a;b;c", "d;e", "f;g;h"]), number("n", [1, 2, 3])],
        reading={"separator": ","},
    ),
    Case(
        "semicolon-with-commas-in-texts",
        b"city;n\nParis, France;1.5\nBerlin, Germany;2.5\nOslo;3.5\n",
        [category("city", ["Paris, France", "Berlin, Germany", "Oslo"]), number("n", [1.5, 2.5, 3.5])],
        reading={"separator": ";", "decimal": "."},
    ),
    Case(
        "pipe-with-commas-in-texts",
        b"name|n\nDoe, Jane|1\nRoe, Richard|2\n",
        [category("name", ["Doe, Jane", "Roe, Richard"]), number("n", [1, 2])],
        reading={"separator": "|"},
    ),
    Case(
        "comma-with-quoted-decimal-commas",
        b'x,y\n"1,5","2,25"\n"3,5",4\n"0,1","-7,75"\n',
        [number("x", [1.5, 3.5, 0.1]), number("y", [2.25, 4, -7.75])],
        reading={"separator": ",", "decimal": ","},
    ),
    Case("one-column", b"x\n1\n2\n3\n", [number("x", [1, 2, 3])], quiet=True),
    Case(
        "one-column-of-texts-with-spaces",
        b"answer\nyes please\nno thanks\nyes please\n",
        [category("answer", ["yes please", "no thanks", "yes please"])],
    ),
]
