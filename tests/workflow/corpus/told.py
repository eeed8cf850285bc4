"""What the owner says about the file holds."""

from tests.workflow.corpus.case import Case, boolean, category, datetime, number

CASES = [
    Case(
        "separator-told",
        b"a,b|c,d\n1,5|2\n2,5|3\n",
        [number("a,b", [1.5, 2.5]), number("c,d", [2, 3])],
        told={"separator": "|", "decimal": ","},
        reading={"separator": "|", "decimal": ","},
    ),
    Case(
        "separator-told-colon",
        b"x:c\n1.5:a\n2.5:b\n",
        [number("x", [1.5, 2.5]), category("c", ["a", "b"])],
        told={"separator": ":"},
        reading={"separator": ":"},
    ),
    Case(
        "decimal-told",
        b"x;y\n1.234;1\n5.678;2\n",
        [number("x", [1234, 5678]), number("y", [1, 2])],
        told={"decimal": ","},
        reading={"separator": ";", "decimal": ","},
    ),
    Case(
        "decimal-point-told",
        b"x;y\n1,234;1\n5,678;2\n",
        [number("x", [1234, 5678]), number("y", [1, 2])],
        told={"decimal": "."},
        reading={"separator": ";", "decimal": "."},
    ),
    Case(
        "encoding-told",
        "name,n\nЯна,1\nОля,2\n".encode("koi8-r"),
        [category("name", ["Яна", "Оля"]), number("n", [1, 2])],
        told={"encoding": "koi8-r"},
    ),
    Case(
        "missing-told-number",
        b"x,y\n1.5,1\n-999,2\n2.5,3\n",
        [number("x", [1.5, None, 2.5]), number("y", [1, 2, 3])],
        told={"missing": ["-999"]},
        reading={"missing": ["-999"]},
    ),
    Case(
        "missing-told-in-texts",
        b"x,c\n1.5,red\n2.5,unknown\n3.5,blue\n",
        [number("x", [1.5, 2.5, 3.5]), category("c", ["red", None, "blue"])],
        told={"missing": ["unknown"]},
        reading={"missing": ["unknown"]},
    ),
    Case(
        "missing-told-two",
        b"x,c\n1.5,red\nNA,?\n3.5,blue\n",
        [number("x", [1.5, None, 3.5]), category("c", ["red", None, "blue"])],
        told={"missing": ["NA", "?"]},
    ),
    Case(
        "nothing-is-missing-told",
        b"country,x\nNA,1\nDE,2\nNA,3\n",
        [category("country", ["NA", "DE", "NA"]), number("x", [1, 2, 3])],
        told={"missing": []},
        reading={"missing": []},
    ),
    Case(
        "date-format-told",
        b"t,n\n01/02/2020,1\n03/04/2020,2\n",
        [datetime("t", ["2020-02-01T00:00:00", "2020-04-03T00:00:00"]), number("n", [1, 2])],
        told={"date_formats": {"t": "%d/%m/%Y"}},
        reading={"date_formats": {"t": "%d/%m/%Y"}},
        quiet=True,
    ),
    Case(
        "date-format-told-that-does-not-fit",
        b"t,n\n13.01.2020,1\nsoon,2\n",
        told={"date_formats": {"t": "%d.%m.%Y"}},
        error=r"\bt\b.*soon",
    ),
    Case(
        "date-format-told-for-no-column",
        b"t,n\n13.01.2020,1\n",
        told={"date_formats": {"u": "%d.%m.%Y"}},
        error=r"\bu\b",
    ),
    Case(
        "type-told-category",
        b"code,n\n3,1.5\n1,2.5\n",
        [category("code", ["3", "1"]), number("n", [1.5, 2.5])],
        told={"types": {"code": "category"}},
    ),
    Case(
        "type-told-number",
        b"code,n\n007,1\n042,2\n",
        [number("code", [7, 42]), number("n", [1, 2])],
        told={"types": {"code": "number"}},
    ),
    Case(
        "type-told-boolean",
        b"b,n\n0,1.5\n1,2.5\n,3.5\n",
        [boolean("b", [False, True, None]), number("n")],
        told={"types": {"b": "boolean"}},
    ),
    Case(
        "type-told-datetime",
        b"t,n\n2020-01-13,1\n2020-02-05,2\n",
        [datetime("t", ["2020-01-13T00:00:00", "2020-02-05T00:00:00"]), number("n")],
        told={"types": {"t": "datetime"}},
    ),
    Case(
        "type-told-category-for-dates",
        b"t,n\n13.01.2020,1\n14.01.2020,2\n",
        [category("t", ["13.01.2020", "14.01.2020"]), number("n")],
        told={"types": {"t": "category"}},
    ),
    Case(
        "type-told-number-with-a-typo",
        b"x,n\n1.5,1\n2.5,2\n1o,3\n",
        told={"types": {"x": "number"}},
        error=r"\bx\b.*1o",
    ),
    Case(
        "type-told-datetime-for-words", b"t,n\nred,1\nblue,2\n", told={"types": {"t": "datetime"}}, error=r"\bt\b.*red"
    ),
    Case(
        "type-told-boolean-for-three",
        b"b,n\nyes,1\nno,2\nmaybe,3\n",
        told={"types": {"b": "boolean"}},
        error=r"\bb\b.*maybe",
    ),
    Case("type-told-for-no-column", b"x,n\n1,2\n", told={"types": {"z": "number"}}, error=r"\bz\b"),
    Case(
        "skip-lines-told-none",
        b"x,y\n1,2\n3,4\n",
        [number("x", [1, 3]), number("y", [2, 4])],
        told={"skip_lines": 0},
        reading={"skip_lines": 0},
    ),
    Case(
        "type-told-category-for-booleans",
        b"b,n\nyes,1\nNA,2\nno,NA\n",
        [category("b", ["yes", None, "no"]), number("n", [1, 2, None])],
        told={"types": {"b": "category"}},
    ),
    Case(
        "type-told-datetime-for-seconds",
        b"t,n\n1578873600,1\n1580860800,2\n",
        told={"types": {"t": "datetime"}},
        error=r"\bt\b.*1578873600",
    ),
]
