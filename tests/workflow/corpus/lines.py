"""Blank lines, comments, incomplete rows and other irregular lines."""

from tests.workflow.corpus.case import Case, category, number

XY = [number("x", [1, 3]), number("y", [2, 4])]

CASES = [
    Case("empty-lines", b"x,y\n\n1,2\n\n\n3,4\n", XY, notes=["3 .*(lines|rows)"]),
    Case(
        "lines-of-separators",
        b"x;y;z\n1;2;a\n;;\n3;4;b\n ; ; \n",
        [*XY, category("z", ["a", "b"])],
        notes=["2 .*(lines|rows)"],
    ),
    Case("lines-of-spaces", b"x,y\n1,2\n   \n3,4\n\t\n", XY, notes=["2 .*(lines|rows)"]),
    Case("empty-lines-crlf", b"x,y\r\n1,2\r\n\r\n3,4\r\n\r\n", XY),
    Case("empty-lines-above-the-header", b"\n\nx,y\n1,2\n3,4\n", XY),
    Case("one-column-and-empty-lines", b"x\n1\n\n2\n\n", [number("x", [1, 2])]),
    Case("many-empty-lines-at-the-end", b"x,y\n1,2\n3,4\n" + b",\n" * 500, XY, notes=["500"]),
    Case("no-line-end-at-the-end", b"x,y\n1,2\n3,4", XY, quiet=True),
    Case(
        "empty-lines-within-quotes-are-text",
        b'x,c\n1,"a\n\nb"\n2,c\n',
        [number("x", [1, 2]), category("c", ["a\n\nb", "c"])],
        quiet=True,
    ),
    Case("too-many-fields", b"x,y\n1,2\n3,4,5\n6,7\n", error="line 3"),
    Case("too-few-fields", b"x,y,z\n1,2,3\n4,5\n6,7,8\n", error="line 3"),
    Case("too-many-fields-semicolon", b"x;y\n1,5;2\n2,5;3\n3,5;4;5\n", error="line 4"),
    Case("too-many-fields-below-a-text-of-three-lines", b'x,c\n1,"a\nb\nc"\n2,d,e\n3,f\n', error="line 5"),
    Case("too-many-fields-below-empty-lines", b"x,y\n\n\n1,2\n3,4,5\n", error="line 5"),
    Case("too-many-fields-below-title-lines", b"Sales\n\nx,y\n1,2\n3,4,5\n", options={"skip_lines": 2}, error="line 5"),
    Case("header-alone", b"x,y\n", error="(?i)no rows"),
    Case("header-and-empty-lines", b"x,y\n\n,\n  \n", error="(?i)no rows"),
    Case("nothing", b"", error="(?i)empty"),
    Case("only-line-ends", b"\n\r\n\n", error="(?i)empty"),
    Case("all-lines-skipped", b"x,y\n1,2\n", options={"skip_lines": 5}, error="(?i)skip_lines|lines|empty"),
    Case("rows-that-end-with-a-separator", b"x,y\n1,2,\n3,4,\n", XY),
]
