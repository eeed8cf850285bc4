"""Numbers that are categories."""

from tests.workflow.corpus.case import Case, category, number

CASES = [
    Case(
        "zip-codes",
        b"zip,price\n01067,1.5\n10115,2.5\n80331,3.5\n",
        [category("zip", ["01067", "10115", "80331"]), number("price", [1.5, 2.5, 3.5])],
    ),
    Case(
        "zip-codes-far-down",
        b"zip,price\n" + b"80331,1\n" * 200 + b"01067,2\n",
        [category("zip", ["80331"] * 200 + ["01067"]), number("price")],
    ),
    Case(
        "zip-codes-quoted-with-missing",
        b'"zip";"price"\n"01067";"1,5"\n"";"2,5"\n"80331";"NA"\n',
        [category("zip", ["01067", None, "80331"]), number("price", [1.5, 2.5, None])],
        reading={"separator": ";", "decimal": ",", "missing": ["NA"]},
    ),
    Case("identifiers", b"badge,n\n007,1\n042,2\n100,3\n", [category("badge", ["007", "042", "100"]), number("n")]),
    Case("double-zero", b"code,n\n00,1\n01,2\n10,3\n", [category("code", ["00", "01", "10"]), number("n")]),
    Case(
        "single-zeros",
        b"x,y\n0,0.5\n0.25,-0.5\n10,0e0\n",
        [number("x", [0, 0.25, 10]), number("y", [0.5, -0.5, 0])],
    ),
    Case(
        "zip-codes-without-zeros-are-numbers",
        b"zip,n\n80331,1\n10115,2\n",
        [number("zip", [80331, 10115], labels=["80331", "10115"]), number("n")],
    ),
    Case(
        "integers-as-labels",
        b"class,n\n3,1.5\n1,2.5\n3,3.5\n",
        [number("class", [3, 1, 3], labels=["3", "1", "3"]), number("n")],
    ),
    Case(
        "codes-of-letters-and-digits",
        b"code,n\nA1,1\n22,2\nB3,3\n",
        [category("code", ["A1", "22", "B3"]), number("n")],
    ),
    Case(
        "texts-far-down",
        b"code,n\n" + b"7,1\n" * 60_000 + b"A7,2\n",
        [category("code", ["7"] * 60_000 + ["A7"]), number("n")],
    ),
]
