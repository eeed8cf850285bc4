"""Quotes of the format, quotes in the text, and ambiguous quotes."""

from tests.workflow.corpus.case import Case, category, number

CASES = [
    Case(
        "separators-and-line-breaks-in-quotes",
        b'c,n\n"a, b",1\n"c\nd",2\n"e ""f""",3\n',
        [category("c", ["a, b", "c\nd", 'e "f"']), number("n", [1, 2, 3])],
        quiet=True,
    ),
    Case(
        "everything-quoted",
        b'"c","n"\r\n"a","1.5"\r\n"b","2.5"\r\n',
        [category("c", ["a", "b"]), number("n", [1.5, 2.5])],
    ),
    Case(
        "crlf-within-quotes",
        b'c,n\r\n"a\r\nb",1\r\nc,2\r\n',
        [category("c", ["a\r\nb", "c"]), number("n", [1, 2])],
    ),
    Case(
        "inches",
        b'part,n\n5" nail,1\n2.5" screw,2\nhook,3\n',
        [category("part", ['5" nail', '2.5" screw', "hook"]), number("n", [1, 2, 3])],
    ),
    Case(
        "one-inch-mark-and-many-rows",
        b"part;n\n" + b"hook;1,5\n" * 20 + b'5" nail;2,5\n' + b"hook;1,5\n" * 20,
        [category("part", ["hook"] * 20 + ['5" nail'] + ["hook"] * 20), number("n", [1.5] * 20 + [2.5] + [1.5] * 20)],
        reading={"separator": ";", "decimal": ","},
    ),
    Case(
        "feet-and-inches-beside-quoted-texts",
        b'size,c\n5\'11",tall\n5\'2","short, they say"\n',
        [category("size", ["5'11\"", "5'2\""]), category("c", ["tall", "short, they say"])],
    ),
    Case("apostrophes", b"name,n\nO'Brien,1\n'tis,2\n", [category("name", ["O'Brien", "'tis"]), number("n", [1, 2])]),
    Case(
        "space-before-quotes",
        b'n, c\n1, "x, y"\n2, "z"\n',
        [number("n", [1, 2]), category("c", ["x, y", "z"])],
    ),
    Case(
        "line-break-in-a-quoted-name",
        b'"height\n(cm)",n\n1.5,1\n2.5,2\n',
        [number("height\n(cm)", [1.5, 2.5]), number("n", [1, 2])],
    ),
    Case(
        "separator-in-a-quoted-name",
        b'"height; in cm";n\n1,5;1\n2,5;2\n',
        [number("height; in cm", [1.5, 2.5]), number("n", [1, 2])],
        reading={"separator": ";", "decimal": ","},
    ),
    Case(
        "backslashes-before-quotes",
        b'c,n\n"H. \\"Barney\\" E",1\n"plain",2\n',
        [category("c", ['H. "Barney" E', "plain"]), number("n", [1, 2])],
    ),
    Case(
        "backslash-at-the-end-of-a-quoted-cell",
        b'c,n\n"C:\\dir\\",1\n"a, b",2\n',
        [category("c", ["C:\\dir\\", "a, b"]), number("n", [1, 2])],
    ),
    Case("unclosed-quote", b'c,n\na,1\n"b,2\nc,3\n', error=r"line 3"),
    Case("text-behind-a-closing-quote", b'c,n\na,1\n"b" and c,d,2\ne,3\n', error=r"line 3"),
    Case("unclosed-quote-in-the-header", b'"c,n\na,1\nb,2\n', error=r"line 1|header|quote"),
]
